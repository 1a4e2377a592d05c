/** The bench's network: client, director and server in a row, with a source of packets inside the director's kernel. */

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Ipv4Address, ipToBytes, ipv4FromBytes } from "../src/base/ip.ts";
import { macFromBytes, macToBytes } from "../src/base/mac.ts";
import { type OpenedPlane, openPlane } from "../src/daemon/plane/open.ts";
import type { ForwardMethod, ServerSettings, ServiceKey, ServiceSettings } from "../src/director/plane.ts";
import { SystemError } from "../src/sys/addon.ts";
import { type BpfObject, loadObject } from "../src/sys/bpf.ts";
import { attach, detach } from "../src/sys/bpf-attach.ts";
import { runLive } from "../src/sys/bpf-test-run.ts";
import { ensureBpffs } from "../src/sys/bpffs.ts";
import { type StructValue, structCodec } from "../src/wire/struct-codec.ts";
import { TestNetwork, type TestNode } from "../test/support/namespace.ts";
import { peerPath } from "../test/support/peers.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
export const BPFFS = "/run/bench/bpf";

/** On the cables. Real servers follow `FIRST_SERVER`, all of them with the server's hardware address. */
export const ADDRESSES = {
  client: "10.1.0.2",
  inner: "10.1.0.1",
  outer: "10.2.0.1",
  server: "10.2.0.2" as Ipv4Address,
} as const;
export const VIP = "10.9.0.1" as Ipv4Address;
export const PORT = 80;
const FIRST_SERVER = number("10.2.1.0");
const FIRST_CLIENT = number("10.1.1.0");
/** Of an IP packet: both headers and 60 bytes. */
const LENGTH = 100;
/** bench/traffic.bpf.c: of flow 0. */
const FIRST_PORT = 1024;
const CLIENTS = 64;
/** As many as a driver's poll hands over. */
const BATCH = 64;
/** In use at the same time, so that every server of a thousand is. */
const FLOWS = 1_024;
/** Connections: twice the million, as a hash table that is nearly full has long chains. */
const CAPACITY = 2_097_152;
/**
 * A sample in which the processor did something else for longer than this part of the time is taken again, as that may have
 * been our work (ksoftirqd). The kernel waits for itself when it sets a run up and takes it down.
 */
const DISTURBED = 0.15;
const WAITING_NS = 40e6;

/** bench/traffic.bpf.c: enum what. */
type What = "ESTABLISHED" | "SYN_ONLY" | "SHORT" | "DISCARD";

export interface Size {
  readonly servers: number;
  readonly services: number;
  /** Established beforehand. */
  readonly connections: number;
}

/** A way through the director that has been set up; disposing of it takes it down. */
export interface Way extends Disposable {
  /** Nanoseconds of processor time a packet of established flows. @throws Error when packets were lost */
  packets(count: number, direction: "request" | "reply"): number;
  /** Nanoseconds a connection: four packets of the client, a new connection each time. */
  connections(count: number): number;
}

/** Of the director's two cables. */
type Ends = Readonly<Record<"in0" | "out0", { index: number; mac: Uint8Array; farIndex: number; farMac: Uint8Array }>>;

export class DirectorNetwork implements AsyncDisposable {
  readonly client: TestNode;
  readonly director: TestNode;
  readonly server: TestNode;
  readonly #network: TestNetwork;
  readonly #object: BpfObject;
  readonly #ends: Ends;
  /** Flows that IPVS has seen. */
  #used = 0;

  private constructor(
    network: TestNetwork,
    nodes: readonly [TestNode, TestNode, TestNode],
    object: BpfObject,
    ends: Ends,
  ) {
    [this.client, this.director, this.server] = nodes;
    this.#network = network;
    this.#object = object;
    this.#ends = ends;
  }

  static async make(): Promise<DirectorNetwork> {
    execFileSync(`${ROOT}scripts/build-bpf`, ["bench/traffic.bpf.c"], { cwd: ROOT, stdio: "inherit" });
    ensureBpffs(BPFFS);
    const network = new TestNetwork();
    const [client, director, server] = [
      await network.node("client"),
      await network.node("director"),
      await network.node("server"),
    ] as const;
    await network.link(
      { node: client, interface: "eth0", addresses: [`${ADDRESSES.client}/24`] },
      { node: director, interface: "in0", addresses: [`${ADDRESSES.inner}/16`] },
    );
    await network.link(
      { node: director, interface: "out0", addresses: [`${ADDRESSES.outer}/16`] },
      { node: server, interface: "eth0", addresses: [`${ADDRESSES.server}/16`] },
    );
    await director.run(peerPath("sysctl"), "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0");
    await client.run("ip", "route", "add", "default", "via", ADDRESSES.inner);
    await server.run("ip", "route", "add", "default", "via", ADDRESSES.outer);
    const link = async (node: TestNode, name: string) => {
      const [{ ifindex, address }] = await node.ipJson("link", "show", name);
      return { index: ifindex as number, mac: macToBytes(address) };
    };
    const [inner, outer] = [await link(director, "in0"), await link(director, "out0")];
    const [near, far] = [await link(client, "eth0"), await link(server, "eth0")];
    const object = loadObject({ file: `${ROOT}build/traffic.bpf.o` });
    const made = new DirectorNetwork(network, [client, director, server], object, {
      in0: { ...inner, farIndex: near.index, farMac: near.mac },
      out0: { ...outer, farIndex: far.index, farMac: far.mac },
    });
    made.#know(
      "in0",
      Array.from({ length: CLIENTS }, (_, index) => dotted(FIRST_CLIENT + index)),
    );
    made.#know("out0", [ADDRESSES.server]);
    return made;
  }

  /** The kernel's own, to so many addresses in turn: no rules. */
  forward(targets: number): Way {
    this.#know("out0", serverAddresses(targets));
    return this.#way({ target: dotted(FIRST_SERVER), targets, opening: ["ESTABLISHED"] }, undefined, () => {});
  }

  dnat(): Way {
    const undo = this.translate(PORT);
    // Of connections that it did not see beginning conntrack believes an ACK, not a SYN without an answer.
    const answers = { target: ADDRESSES.server, targets: 1, first: 0, flows: FLOWS, reply: true };
    return this.#way({ target: VIP, targets: 1, opening: ["ESTABLISHED"] }, () => answers, undo);
  }

  /** nft DNAT to the server; call what comes back to undo it. */
  translate(port: number): () => void {
    const rules = `table ip bench {
      chain before {
        type nat hook prerouting priority dstnat
        ip daddr ${VIP} tcp dport ${port} dnat to ${ADDRESSES.server}
      }
    }`;
    this.#run(peerPath("nft"), ["-f", "-"], rules);
    // A network card would have looked at the checksums, which the generator leaves out.
    this.#run(peerPath("sysctl"), ["-qw", "net.netfilter.nf_conntrack_checksum=0"]);
    return () => this.#run(peerPath("nft"), ["delete", "table", "ip", "bench"]);
  }

  /** The kernel's IPVS, where it has one. */
  ipvs(method: ForwardMethod, servers: number): Way {
    const addresses = serverAddresses(servers);
    this.#know("out0", addresses);
    const how = { nat: "-m", dr: "-g", tun: "-i" }[method];
    const rules = addresses.map((address) => `-a -t ${VIP}:${PORT} -r ${address}:${PORT} ${how}\n`);
    // IPVS takes what comes for an address of the machine.
    this.#run("ip", ["address", "add", `${VIP}/32`, "dev", "lo"]);
    this.#run("ipvsadm", ["-R"], `-A -t ${VIP}:${PORT} -s rr\n${rules.join("")}`);
    const undo = () => {
      this.#run("ipvsadm", ["-C"]);
      this.#run("ip", ["address", "del", `${VIP}/32`, "dev", "lo"]);
    };
    const opening = ["SYN_ONLY", "ESTABLISHED"] as const;
    // IPVS keeps connections when all is cleared, so each time others. Nor is the server of each known, so no answers.
    this.#used += FLOWS;
    return this.#way({ target: VIP, targets: 1, opening, first: this.#used }, undefined, undo);
  }

  /** Another cable between client and server, past the director. */
  async back(client: string, server: string): Promise<void> {
    await this.#network.link(
      { node: this.client, interface: "back0", addresses: [`${client}/24`] },
      { node: this.server, interface: "back0", addresses: [`${server}/24`] },
    );
    for (const node of [this.client, this.server]) {
      for (const name of ["all", "default", "eth0", "back0"]) {
        await node.run(peerPath("sysctl"), "-qw", `net.ipv4.conf.${name}.rp_filter=0`);
      }
    }
  }

  async noBack(): Promise<void> {
    await this.client.run("ip", "link", "del", "back0");
  }

  balance(method: ForwardMethod, { servers, services, connections }: Size): Way {
    const addresses = serverAddresses(servers);
    this.#know("out0", addresses);
    const plane = this.director.within(() => openPlane({ role: "command", directory: BPFFS, capacity: CAPACITY }));
    this.director.within(() => {
      for (let index = 0; index < services; index++) {
        const key: ServiceKey = { kind: "address", protocol: "tcp", address: serviceAddress(index), port: PORT };
        plane.addService(key, SERVICE);
        const list = addresses.map((address) => ({ key: { address, port: PORT }, settings: { ...SERVER, method } }));
        plane.replaceServers(key, list);
      }
    });
    const way = this.#way(
      { target: VIP, targets: services, opening: ["SYN_ONLY", "ESTABLISHED"] },
      method === "nat" ? () => this.#replies(plane, servers, services) : undefined,
      () =>
        this.director.within(() => {
          plane.clear();
          plane.close();
        }),
    );
    // In slices, as more than a quarter of the table half open counts as a flood.
    const slice = 50_000;
    for (let first = FLOWS; first < connections; first += slice) {
      for (const what of ["SYN_ONLY", "ESTABLISHED"] as const) {
        this.#send(what, slice, { target: VIP, targets: services, first, flows: slice });
      }
    }
    return way;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#object.close();
    await this.#network[Symbol.asyncDispose]();
  }

  /** What the servers' answers look like where they come in: flow n has the server after that of flow n - 1. */
  #replies(plane: OpenedPlane, servers: number, services: number): Traffic {
    const taken = [...plane.connections()].find(
      ({ client }) => client.port === FIRST_PORT && client.address === dotted(FIRST_CLIENT),
    );
    if (taken === undefined) throw new Error("the first flow has no connection");
    const first = number(taken.destination.address) - FIRST_SERVER;
    // Each of many services begins with the same server.
    const targets = services > 1 ? 1 : servers;
    const target = services > 1 ? taken.destination.address : dotted(FIRST_SERVER);
    return { target, targets, shift: services > 1 ? 0 : first, first: 0, flows: FLOWS, reply: true };
  }

  #way(
    {
      target,
      targets,
      opening,
      first = 0,
    }: { target: string; targets: number; opening: readonly What[]; first?: number },
    replies: (() => Traffic) | undefined,
    undo: () => void,
  ): Way {
    const swallowing = this.#swallow();
    const requests: Traffic = { target, targets, first, flows: FLOWS };
    for (const what of opening) this.#send(what, FLOWS, requests);
    const answers = replies?.() ?? { ...requests, reply: true };
    let next = 10_000_000;
    return {
      packets: (count, direction) => {
        const traffic = direction === "request" ? requests : answers;
        this.#send("ESTABLISHED", count / 8, traffic);
        return this.#cost("ESTABLISHED", count, traffic) - this.#cost("DISCARD", count, traffic);
      },
      connections: (count) => {
        const traffic = { target, targets: 1, first: next, flows: count };
        next += count;
        return 4 * (this.#cost("SHORT", count * 4, traffic) - this.#cost("DISCARD", count * 4, traffic));
      },
      [Symbol.dispose]: () => {
        swallowing[Symbol.dispose]();
        undo();
      },
    };
  }

  /** What arrives at the far ends of the cables is counted and dropped. */
  #swallow(): Disposable {
    const bpffs = ensureBpffs(BPFFS);
    const ends = [
      [this.client, this.#ends.in0.farIndex, "swallow_client"],
      [this.server, this.#ends.out0.farIndex, "swallow_server"],
    ] as const;
    const points = ends.map(([node, interfaceIndex, program]) => {
      const pin = `${bpffs}/swallow-${node.name}`;
      return { node, program, point: { interfaceIndex, direction: "ingress", pin, priority: 1 } as const };
    });
    for (const { node, program, point } of points) node.within(() => attach(point, this.#object.program(program)));
    return {
      [Symbol.dispose]: () => {
        for (const { node, point } of points) node.within(() => detach(point));
      },
    };
  }

  /** Nanoseconds a packet. Connections are not to be made twice, so those that were disturbed count too. */
  #cost(what: What, packets: number, traffic: Traffic): number {
    for (let attempt = 0; ; attempt++) {
      const before = process.threadCpuUsage();
      const start = process.hrtime.bigint();
      this.#send(what, packets, traffic);
      const wall = Number(process.hrtime.bigint() - start);
      const { user, system } = process.threadCpuUsage(before);
      const used = (user + system) * 1_000;
      if (wall - used < DISTURBED * wall + WAITING_NS || attempt === 4 || what === "SHORT") return used / packets;
      process.stderr.write(`${what}: ${Math.round(wall / packets)} ns, ${Math.round(used / packets)} of them ours\n`);
    }
  }

  /** @throws Error when not all of them arrived */
  #send(what: What, packets: number, { target, targets, shift = 0, first, flows, reply = false }: Traffic): void {
    const map = this.#object.map("traffic");
    const end = this.#ends[reply ? "out0" : "in0"];
    const value = structCodec<Record<string, StructValue>>(this.#object.types, "traffic").encode({
      what: this.#object.types.values.get(what) ?? 0,
      first,
      flows,
      source: FIRST_CLIENT,
      target: number(target),
      targets,
      shift,
      target_port: PORT,
      length: LENGTH,
      reply: reply ? 1 : 0,
      target_mac: end.mac,
      source_mac: end.farMac,
    });
    const frame = new Uint8Array(14 + LENGTH);
    const run = { frame, interfaceIndex: end.index, frames: packets, batch: BATCH };
    for (let attempt = 0; ; attempt++) {
      map.update(KEY, value);
      const before = this.#arrived(reply);
      try {
        this.director.within(() => runLive(this.#object.program("generate"), run));
      } catch (error) {
        // A signal, that of a child's end for one, stops the kernel half-way.
        if (error instanceof SystemError && error.code === "EINTR" && attempt < 5) continue;
        throw error;
      }
      const arrived = Number(this.#arrived(reply) - before);
      if (what !== "DISCARD" && arrived !== packets)
        throw new Error(`of ${packets} packets (${what}) ${arrived} arrived`);
      return;
    }
  }

  #arrived(reply: boolean): bigint {
    const bytes = this.#object.map("swallowed").lookup(Uint8Array.of(reply ? 1 : 0, 0, 0, 0));
    return bytes === undefined ? 0n : new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  }

  /** Hardware addresses that nobody needs to ask for. */
  #know(name: keyof Ends, addresses: readonly string[]): void {
    const mac = macFromBytes(this.#ends[name].farMac);
    const lines = addresses.map((one) => `neighbour replace ${one} lladdr ${mac} dev ${name}\n`);
    this.#run("ip", ["-batch", "-"], lines.join(""));
  }

  #run(program: string, words: readonly string[], input = ""): void {
    const argv = ["netns", "exec", this.director.name, program, ...words];
    execFileSync("ip", argv, { input, stdio: ["pipe", "ignore", "inherit"] });
  }
}

/** What bench/traffic.bpf.c is told. */
interface Traffic {
  readonly target: string;
  /** Addresses in a row from `target` on that flows use in turn, flow 0 the one after `shift` others. */
  readonly targets: number;
  readonly shift?: number;
  readonly first: number;
  readonly flows: number;
  readonly reply?: boolean;
}

const KEY = new Uint8Array(4);

export const SERVICE: ServiceSettings = {
  scheduler: "rr",
  persistence: undefined,
  netmaskBits: 32,
  onePacket: false,
  flags: { fallback: false, port: false, flag3: false },
  onServerDown: "reset",
  owner: "command",
};

export const SERVER: ServerSettings = {
  method: "dr",
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
  tunnel: { type: "ipip", port: 0, checksum: "none" },
  draining: false,
};

export const serviceAddress = (index: number): Ipv4Address => dotted(number(VIP) + index);

export const serverAddresses = (count: number): readonly Ipv4Address[] =>
  Array.from({ length: count }, (_, index) => dotted(FIRST_SERVER + index));

function number(address: string): number {
  return new DataView(ipToBytes(address as Ipv4Address).buffer).getUint32(0);
}

function dotted(value: number): Ipv4Address {
  return ipv4FromBytes(Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value));
}
