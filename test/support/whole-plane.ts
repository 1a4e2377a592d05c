/**
 * The whole data plane in a namespace, with the scenarios of scripts/oracle played on it: ipvsadm's words go through `Tables`
 * into the maps of the kernel, packets through the programs of the ingress hook, without a wire.
 */

import { setTimeout as wait } from "node:timers/promises";
import { type IpAddress, isIpv6, parseIp, parseIpPrefix, prefixContains } from "../../src/base/ip.ts";
import { type MacAddress, macToBytes } from "../../src/base/mac.ts";
import { applyChange } from "../../src/cli/ipvsadm-apply.ts";
import type { Change } from "../../src/config/ipvsadm/command.ts";
import { parseCommandLine } from "../../src/config/ipvsadm/parse.ts";
import type { MapName, MapSet } from "../../src/director/map-set.ts";
import { Tables } from "../../src/director/tables.ts";
import { type BpfObject, loadObject } from "../../src/sys/bpf.ts";
import { testRun } from "../../src/sys/bpf-test-run.ts";
import {
  type Client,
  clientsOf,
  encodePacket,
  type Packets,
  protocolOf,
  type Scenario,
  type Step,
} from "./ipvs-scenario.ts";
import { DIRECTOR_OBJECT } from "./memory-maps.ts";
import type { TestNetwork, TestNode } from "./namespace.ts";

const NO_NAMES = { host: () => undefined, port: () => undefined };

/** The balancer of scripts/oracle/guest.ts. */
export async function balancerNode(network: TestNetwork): Promise<TestNode> {
  const director = await network.node("director");
  const client = await network.node("client");
  const servers = await network.node("servers");
  await network.link({ node: director, interface: "c0" }, { node: client, interface: "c1" });
  const own = ["192.168.8.254/24", "fd08::254/64"];
  await network.link({ node: director, interface: "s0", addresses: own }, { node: servers, interface: "s1" });
  for (let i = 1; i <= 9; i++) {
    await director.run("ip", "address", "add", `192.168.9.${i}/32`, "dev", "lo");
    await director.run("ip", "address", "add", `fd09::${i}/128`, "dev", "lo", "nodad");
  }
  await director.run("ip", "route", "add", "10.0.0.0/8", "dev", "c0");
  await director.run("ip", "-6", "route", "add", "fd10::/16", "dev", "c0");
  return director;
}

export class WholePlane implements Disposable {
  readonly #node: TestNode;
  readonly #object: BpfObject;
  readonly #set: MapSet;
  readonly #tables: Tables;
  readonly #interface: number;
  readonly #mac: Uint8Array;
  readonly #marks: { readonly mark: number; readonly network: string }[] = [];

  private constructor(node: TestNode, object: BpfObject, cpus: number, index: number, mac: MacAddress) {
    this.#node = node;
    this.#object = object;
    this.#interface = index;
    this.#mac = macToBytes(mac);
    this.#set = { maps: Object.fromEntries(object.maps) as unknown as Record<MapName, never>, btf: object.types, cpus };
    const now = () => process.hrtime.bigint();
    const port = { now, exclusively: <T>(work: () => T) => work(), settle: () => {}, isLocal: () => false };
    this.#tables = new Tables(this.#set, port);
  }

  static async open(node: TestNode, loops: "bpf_loop" | "bounded"): Promise<WholePlane> {
    const [{ ifindex, address }] = await node.ipJson("link", "show", "c0");
    const cpus = 64;
    const constants = { cpus, have_bpf_loop: loops === "bpf_loop", have_route_source: false };
    const mapSizes = { counters: 16_384 * cpus };
    const object = node.within(() => loadObject({ file: DIRECTOR_OBJECT, constants, mapSizes }));
    return new WholePlane(node, object, cpus, ifindex, address);
  }

  /** The same steps with what we chose. Once: connections stay. */
  async play(scenario: Scenario): Promise<Step[]> {
    const steps: Step[] = [];
    for (const step of scenario.steps) steps.push(await this.#step(step));
    return steps;
  }

  async #step(step: Step): Promise<Step> {
    if ("ipvsadm" in step) this.#command(step.ipvsadm);
    else if ("waitSeconds" in step) await wait(step.waitSeconds * 1000);
    else if ("mark" in step) this.#marks.push(step);
    else {
      this.#send(step.send);
      return {
        send: step.send,
        ...(step.chosen === undefined ? {} : { chosen: this.#chosen(step.send) }),
        ...(step.counts === undefined ? {} : { counts: this.#counts() }),
      };
    }
    return step;
  }

  #command(text: string): void {
    const parsed = parseCommandLine(text.split(" "), NO_NAMES);
    if (parsed.kind !== "command") throw new Error(`ipvsadm ${text}: ${JSON.stringify(parsed)}`);
    const refusal = applyChange(this.#tables, parsed.command as Change);
    if (refusal !== undefined) throw new Error(`ipvsadm ${text}: ${refusal.text ?? refusal.detail}`);
  }

  #send(packets: Packets): void {
    const program = this.#object.program(packets.from.includes(":") ? "ingress6" : "ingress");
    const mark = this.#markOf(packets);
    this.#node.within(() => {
      for (const client of clientsOf(packets)) {
        const inner = encodePacket(packets, client);
        const packet = new Uint8Array(14 + inner.length);
        packet.set(this.#mac);
        packet.set(isIpv6(client.address) ? [0x86, 0xdd] : [0x08, 0x00], 12);
        packet.set(inner, 14);
        testRun(program, { packet, mark, interface: this.#interface, ingressInterface: this.#interface });
      }
    });
  }

  #markOf({ to }: Packets): number {
    const address = parseIp(to);
    for (const { mark, network } of this.#marks) {
      const prefix = parseIpPrefix(network);
      if (address !== undefined && prefix !== undefined && prefixContains(prefix, address)) return mark;
    }
    return 0;
  }

  #chosen(packets: Packets): string {
    const key = (protocol: string, client: IpAddress | string, port: number, virtual: string, virtualPort: number) =>
      [protocol, client, port, virtual, virtualPort].join(" ");
    const servers = new Map<string, string>();
    for (const { protocol, client, virtual, destination } of this.#tables.connections()) {
      const at = key(protocol, client.address, client.port, virtual.address, virtual.port);
      servers.set(at, nameOf(destination.address));
    }
    const serverOf = ({ address, port }: Client) =>
      servers.get(key(protocolOf(packets), address, port, packets.to, packets.toPort)) ?? "-";
    return Array.from(clientsOf(packets), serverOf).join(" ");
  }

  #counts(): string {
    const entries = this.#tables.services().flatMap((service) => service.servers);
    return entries.map(({ key, active, inactive }) => `${nameOf(key.address)}=${active}/${inactive}`).join(" ");
  }

  [Symbol.dispose](): void {
    this.#object.close();
  }
}

const nameOf = (address: IpAddress): string =>
  isIpv6(address) ? String(Number.parseInt(address.split(":").at(-1) ?? "", 16)) : (address.split(".").at(-1) ?? "");
