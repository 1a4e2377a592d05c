/**
 * Runs a case of test/conformance/vrrp with a real router, ours or Debian's keepalived, in a network namespace. The
 * neighbours are this process: a packet socket on the other end of each cable. What is seen is what the wire and the
 * kernel's tables show; what the router says of itself (states, log, FIFOs) is not looked at.
 */

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { IpAddress } from "../../src/base/ip.ts";
import type { MacAddress } from "../../src/base/mac.ts";
import type { VrrpConfiguration } from "../../src/config/model/vrrp.ts";
import { readInterfaces } from "../../src/sys/interfaces.ts";
import { NetlinkMonitor } from "../../src/sys/netlink.ts";
import { type Frame, openPacketSocket, type PacketSocket } from "../../src/sys/packet-socket.ts";
import { ARP_REQUEST, decodeArp } from "../../src/wire/arp.ts";
import {
  decodeEthernet,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  type EthernetFrame,
  encodeEthernet,
} from "../../src/wire/ethernet.ts";
import { asNeighbourAdvertisement, decodeIcmpv6, PROTOCOL_ICMPV6 } from "../../src/wire/icmpv6.ts";
import { decodeIpv4, PROTOCOL_VRRP } from "../../src/wire/ipv4.ts";
import { decodeIpv6 } from "../../src/wire/ipv6.ts";
import type { NetlinkMessage } from "../../src/wire/netlink.ts";
import {
  parseAddress,
  RTM_DELADDR,
  RTM_NEWADDR,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
} from "../../src/wire/netlink-address.ts";
import {
  parseRoute,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_ROUTE,
} from "../../src/wire/netlink-route.ts";
import {
  parseRule,
  RTM_DELRULE,
  RTM_NEWRULE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV6_RULE,
} from "../../src/wire/netlink-rule.ts";
import { TestNetwork, type TestNode, type TestProgram } from "./namespace.ts";
import { peerPath } from "./peers.ts";
import { packetOf } from "./vrrp-case-neighbour.ts";
import { configurationOf, OWN, wayInWords } from "./vrrp-case-run.ts";
import { visible } from "./vrrp-case-seen.ts";
import type { Case, Deed, Expected, ScriptConduct, Stimulus } from "./vrrp-cases.ts";
import { type Brand, EVENKEEL, signalTree } from "./vrrp-pair.ts";

const run = promisify(execFile);

const ETH_P_ALL = 3;
/** protocol number that keepalived gives to what it adds, rtnetlink(7). */
const RTPROT_KEEPALIVED = 18;

let starting: Promise<void> = Promise.resolve();
/** Milliseconds, of a machine that does much else. */
const LONGEST_START = 60_000;

/** Of the event loop's lateness, in milliseconds. */
const RESOLUTION = 10;

export interface Seen {
  readonly happened: readonly Expected[];
  /** How late this process was at the worst, in milliseconds: it stands for how busy the machine was. */
  readonly late: number;
  /** What the router said, for whoever has to find out. */
  readonly output: string;
}

/** Watches until `one.end`, and up to `patience` milliseconds longer while less was seen than is expected. */
export async function runForReal(one: Case, brand: Brand, patience: number): Promise<Seen> {
  await using stage = await Stage.set(one);
  // Not before it has played may the stage be taken away.
  return await stage.play(brand, patience);
}

/** Two cables from the router to the neighbour, with everything that listens. */
class Stage implements AsyncDisposable {
  readonly #one: Case;
  readonly #configuration: VrrpConfiguration;
  readonly #network = new TestNetwork();
  readonly #folder = mkdtempSync(join(tmpdir(), "vrrp-case-"));
  readonly #happened: Expected[] = [];
  readonly #present = new Set<string>();
  readonly #sockets = new Map<string, { socket: PacketSocket; index: number; mac: MacAddress; router: MacAddress }>();
  #monitor: NetlinkMonitor | undefined;
  #router: TestNode | undefined;
  #program: TestProgram | undefined;
  /** Milliseconds, as `Date.now` counts: the kernel's stamps do too. */
  #start = Number.POSITIVE_INFINITY;

  static async set(one: Case): Promise<Stage> {
    const stage = new Stage(one);
    try {
      await stage.#build();
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(one: Case) {
    this.#one = one;
    this.#configuration = configurationOf(one.configuration);
  }

  async #build(): Promise<void> {
    const [router, neighbour] = [await this.#network.node("r"), await this.#network.node("n")];
    this.#router = router;
    await run("sh", ["-ec", scene(router.name, neighbour.name)]);
    const macs = macsOf(router);
    for (const [name, { index, mac }] of macsOf(neighbour)) {
      const end = macs.get(name);
      if (end === undefined) continue;
      const socket = neighbour.within(() =>
        openPacketSocket({
          interfaceIndex: index,
          protocol: ETH_P_ALL,
          ignoreOutgoing: true,
          promiscuous: true,
          onFrames: (frames) => {
            for (const frame of frames) this.#onFrame(frame);
          },
          // ENETDOWN, when the timeline takes the cable away.
          onError: () => {},
        }),
      );
      this.#sockets.set(name, { socket, index, mac, router: end.mac });
    }
    const groups = [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE];
    this.#monitor = router.within(
      () =>
        new NetlinkMonitor([...groups, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE], {
          onMessages: (messages) => {
            for (const message of messages) this.#onMessage(message);
          },
          onLost: () => {},
          onError: (error) => {
            throw error;
          },
        }),
    );
  }

  async play(brand: Brand, patience: number): Promise<Seen> {
    const delays = monitorEventLoopDelay({ resolution: RESOLUTION });
    delays.enable();
    let late = 0;
    for (const happening of this.#one.happenings) {
      if (this.#start !== Number.POSITIVE_INFINITY) {
        const wait = this.#start + happening.at - Date.now();
        if (wait > 0) await sleep(wait);
        late = Math.max(late, Date.now() - this.#start - happening.at);
      }
      if (happening.kind === "advert") this.#say(happening.advert);
      else await this.#perform(happening.deed, brand);
    }
    const { end } = this.#one;
    const due = visible(this.#one);
    const isMissing = () => due.some(({ what }) => count(this.#happened, what) < count(due, what));
    for (;;) {
      const left = this.#start + end - Date.now();
      if (left <= 0 && (!isMissing() || left + patience <= 0)) break;
      await sleep(left > 0 ? left : 20);
    }
    delays.disable();
    late = Math.max(late, delays.max / 1e6 - RESOLUTION);
    // What is due comes when it comes; of all else, what surely belongs to the time that is watched.
    const places = new Map<string, number>();
    const happened = this.#happened.filter(({ at, what }) => {
      const place = places.get(what) ?? 0;
      places.set(what, place + 1);
      return place < count(due, what) || at <= end - late - 50;
    });
    return { happened, late, output: this.#program?.output ?? "" };
  }

  // ---- what is done to the router

  async #perform(deed: Deed, brand: Brand): Promise<void> {
    const router = this.#router;
    if (router === undefined) throw new Error("the stage is not set");
    switch (deed.type) {
      case "start":
        return this.#begin(router, brand);
      case "stop":
        return this.#program?.kill("SIGTERM");
      case "reload":
        this.#write(this.#one.reloaded ?? this.#one.configuration);
        this.#program?.kill("SIGHUP");
        return;
      case "freeze":
      case "thaw":
        if (this.#program !== undefined) signalTree(this.#program.pid, deed.type === "freeze" ? "SIGSTOP" : "SIGCONT");
        return;
      case "link":
        // The router's own end: of a lost carrier the kernel speaks up to a second late (net/core/link_watch.c).
        await router.run("ip", "link", "set", deed.interface, deed.up ? "up" : "down");
        return;
      case "takes": {
        const held = this.#configuration.instances.flatMap((each) => [
          ...each.virtualAddresses,
          ...each.excludedAddresses,
        ]);
        const one = held.find(({ address }) => address === deed.address);
        if (one === undefined) throw new Error(`${deed.address} is no virtual address`);
        await router.run("ip", "addr", "del", `${one.address}/${one.prefixLength}`, "dev", one.interface);
        return;
      }
      case "own": {
        const [at = ""] = Object.entries(OWN).find(([, own]) => own.some((each) => each === deed.address)) ?? [];
        const verb = deed.present ? "add" : "del";
        const length = deed.address.includes(":") ? 64 : 24;
        await router.run("ip", "addr", verb, `${deed.address}/${length}`, "dev", at);
        return;
      }
      case "route":
        await router.run("ip", "route", "del", deed.destination);
        return;
      case "script":
        return this.#replace(`${deed.name}.does`, scriptLine(deed.does));
      case "file":
        return this.#replace(deed.name, `${deed.value}\n`);
      case "process":
      case "proxy":
      case "service":
        throw new Error(`“${deed.type}” is not for a real router: mark the case “simulated only”`);
      default:
        return deed satisfies never;
    }
  }

  async #begin(router: TestNode, brand: Brand): Promise<void> {
    this.#write(this.#one.configuration);
    for (const { name } of this.#configuration.scripts) {
      const file = join(this.#folder, name);
      writeFileSync(file, `#!/bin/sh\nif [ -e "$0.does" ]; then . "$0.does"; fi\nexit 0\n`, { mode: 0o755 });
    }
    const at = (name: string) => join(this.#folder, name);
    const argv =
      brand === "evenkeel"
        ? [EVENKEEL, "run", "-f", at("keepalived.conf"), "--socket", at("sock")]
        : [
            ...[peerPath("keepalived"), "-n", "-l", "-D", "-P", "-f", at("keepalived.conf")],
            ...["-p", at("pid"), "-r", at("vrrp.pid")],
          ];
    // One after the other: each takes a processor for a moment, and would make all others late.
    const turn = starting.then(async () => {
      this.#program = router.start(argv);
      await this.#program.sees(/Startup complete|Entering (BACKUP|FAULT) STATE/, LONGEST_START);
      this.#start = Date.now();
    });
    starting = turn.catch(() => {});
    await turn;
    // What was seen before it said so.
    const before = this.#happened.splice(0).map(({ at: stamp, what }) => ({ at: stamp - this.#start, what }));
    this.#happened.push(...before);
  }

  /** `/run/case` is this case's own folder. */
  #write(text: string): void {
    const own = text.replaceAll("/run/case/", `${this.#folder}/`);
    writeFileSync(join(this.#folder, "keepalived.conf"), `global_defs {\n  script_user root\n}\n${own}`);
  }

  /** Never half written. */
  #replace(name: string, text: string): void {
    writeFileSync(join(this.#folder, `${name}.new`), text);
    renameSync(join(this.#folder, `${name}.new`), join(this.#folder, name));
  }

  #say(stimulus: Stimulus): void {
    const { instance, packet } = packetOf(this.#configuration, stimulus);
    const end = this.#sockets.get(instance.interface);
    if (end === undefined) throw new Error(`no cable at ${instance.interface}`);
    const { socket, index, mac, router } = end;
    const version = (packet[0] ?? 0) >> 4;
    const destination = version === 4 ? packet.subarray(16, 20) : packet.subarray(24, 40);
    socket.send(
      encodeEthernet({
        destination: macFor(destination) ?? router,
        source: mac,
        etherType: version === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6,
        payload: packet,
      }),
      index,
    );
  }

  // ---- what it does

  #note(what: string, stamp = Date.now()): void {
    this.#happened.push({ at: this.#start === Number.POSITIVE_INFINITY ? stamp : stamp - this.#start, what });
  }

  #onFrame({ bytes, timestampNs, interfaceIndex }: Frame): void {
    const frame = decodeEthernet(bytes);
    if (!frame.ok) return;
    const what = this.#wordsOf(frame.value, interfaceIndex);
    if (what === undefined) return;
    const { source } = frame.value;
    const by = source.startsWith("00:00:5e:") ? ` by ${source}` : "";
    this.#note(`${what}${by}`, timestampNs === undefined ? undefined : Number(timestampNs / 1_000n) / 1_000);
  }

  #wordsOf({ etherType, payload }: EthernetFrame, interfaceIndex: number): string | undefined {
    if (etherType === ETHERTYPE_ARP) {
      const arp = decodeArp(payload);
      if (!arp.ok || arp.value.operation !== ARP_REQUEST) return undefined;
      const { senderIp, targetIp } = arp.value;
      return senderIp === targetIp ? `announces ${senderIp}` : undefined;
    }
    const packet = etherType === ETHERTYPE_IPV4 ? decodeIpv4(payload) : decodeIpv6(payload);
    if (!packet.ok) return undefined;
    const { source, destination, payload: inner } = packet.value;
    const protocol = "protocol" in packet.value ? packet.value.protocol : packet.value.nextHeader;
    if (protocol === PROTOCOL_VRRP) {
      const name = this.#nameOf(interfaceIndex, source.includes(":") ? "ipv6" : "ipv4", inner[1]);
      return `${name}advert ${inner[2]}${wayInWords({ source, destination })}`;
    }
    if (protocol !== PROTOCOL_ICMPV6 || !("nextHeader" in packet.value)) return undefined;
    const message = decodeIcmpv6(inner, packet.value);
    const advertisement = message.ok ? asNeighbourAdvertisement(message.value) : undefined;
    // Solicited ones answer the neighbour's kernel.
    if (advertisement?.ok !== true || advertisement.value.solicited || source === "::") return undefined;
    return `announces ${advertisement.value.target}`;
  }

  /** The instance with a blank behind, when there are several. */
  #nameOf(interfaceIndex: number, family: "ipv4" | "ipv6", virtualRouterId: number | undefined): string {
    if (this.#configuration.instances.length < 2) return "";
    const after = this.#one.reloaded === undefined ? [] : configurationOf(this.#one.reloaded).instances;
    const instances = [...this.#configuration.instances, ...after];
    const found = instances.find(
      (each) =>
        this.#sockets.get(each.interface)?.index === interfaceIndex &&
        each.family === family &&
        each.virtualRouterId === virtualRouterId,
    );
    return `${found?.name} `;
  }

  #onMessage({ type, payload }: NetlinkMessage): void {
    switch (type) {
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        const address = parseAddress(payload)?.address;
        if (address !== undefined && this.#isVirtual(address))
          this.#has(type === RTM_NEWADDR, "holds", "drops", address);
        break;
      }
      case RTM_NEWROUTE:
      case RTM_DELROUTE: {
        const route = parseRoute(payload);
        if (route?.protocol !== RTPROT_KEEPALIVED || route.destination === undefined) break;
        const what = `route ${route.destination}/${route.destinationLength}`;
        this.#has(type === RTM_NEWROUTE, "adds", "removes", what);
        break;
      }
      case RTM_NEWRULE:
      case RTM_DELRULE: {
        const rule = parseRule(payload);
        if (rule?.protocol !== RTPROT_KEEPALIVED || rule.from === undefined) break;
        this.#has(type === RTM_NEWRULE, "adds", "removes", `rule from ${rule.from.address}`);
        break;
      }
    }
  }

  #isVirtual(address: IpAddress): boolean {
    return !Object.values(OWN).some((own) => own.includes(address));
  }

  /** Lifetimes are lengthened with the same message; what is there already is no news. */
  #has(present: boolean, comes: string, goes: string, what: string): void {
    if (this.#present.has(what) === present) return;
    if (present) this.#present.add(what);
    else this.#present.delete(what);
    this.#note(`${present ? comes : goes} ${what}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.#sockets.values()) socket.close();
    this.#monitor?.close();
    // A frozen one hears of nothing else.
    if (this.#program !== undefined && existsSync(`/proc/${this.#program.pid}`))
      signalTree(this.#program.pid, "SIGKILL");
    await this.#network[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** One shell script: what is started while others are being timed must be little. */
function scene(router: string, neighbour: string): string {
  const theirs: Record<string, readonly string[]> = {
    eth0: ["10.9.0.2", "10.9.0.3", "fe80::2"],
    eth1: ["10.9.1.2", "fe80::1:2"],
  };
  // Link-local addresses are those of README.md, there at once, and they outlast a link that is set down.
  const settings = { addr_gen_mode: 1, accept_dad: 0, accept_ra: 0, keep_addr_on_down: 1 };
  const writes = Object.entries(settings).map(
    ([name, value]) => `echo ${value} >/proc/sys/net/ipv6/conf/default/${name}`,
  );
  const lines = [router, neighbour].map((node) => `ip netns exec ${node} sh -ec '${writes.join("; ")}'`);
  for (const [name, own] of Object.entries(OWN)) {
    lines.push(`ip link add ${name} netns ${router} type veth peer name ${name} netns ${neighbour}`);
    for (const [node, addresses] of [
      [router, own],
      [neighbour, theirs[name] ?? []],
    ] as const) {
      const commands = [
        ...addresses.map((address) => `addr add ${address}/${address.includes(":") ? "64 nodad" : 24} dev ${name}`),
        `link set ${name} up`,
      ];
      lines.push(`printf '${commands.join("\\n")}\\n' | ip -n ${node} -batch -`);
    }
  }
  return lines.join("\n");
}

function scriptLine(does: ScriptConduct): string {
  switch (does.type) {
    case "exits":
      return `exit ${does.status}\n`;
    case "takes":
      return `exec sleep ${does.milliseconds / 1_000}\n`;
    case "hangs":
      return "exec sleep 60\n";
    default:
      return does satisfies never;
  }
}

const count = (list: readonly Expected[], what: string): number => list.filter((each) => each.what === what).length;

const macsOf = (node: TestNode): Map<string, { index: number; mac: MacAddress }> =>
  new Map(
    node.within(() =>
      Array.from(readInterfaces().values()).flatMap(({ name, index, mac }) =>
        mac === undefined ? [] : [[name, { index, mac }] as const],
      ),
    ),
  );

/** RFC 1112 §6.4, RFC 2464 §7; undefined for an address of one host. */
function macFor(destination: Uint8Array): MacAddress | undefined {
  const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
  const [first = 0, second = 0] = destination;
  if (destination.length === 16)
    return first === 0xff ? (`33:33:${hex(destination.subarray(12))}` as MacAddress) : undefined;
  if (first >> 4 !== 0xe) return undefined;
  return `01:00:5e:${hex(Uint8Array.of(second & 0x7f))}:${hex(destination.subarray(2))}` as MacAddress;
}
