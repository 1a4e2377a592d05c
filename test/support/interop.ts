/**
 * One router of ours and one of Debian's keepalived that share virtual routers, as cases: what both are configured with, what
 * happens to them, and what must be seen. The tests run the cases in both roles, and docs/internals/interop.md is written
 * from the same runs (scripts/oracle/interop.ts).
 */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ipv4FromBytes } from "../../src/base/ip.ts";
import { Interfaces } from "../../src/sys/interfaces.ts";
import { openPacketSocket, type PacketSocket } from "../../src/sys/packet-socket.ts";
import { PROTOCOL_VRRP } from "../../src/wire/ipv4.ts";
import { dissectAdverts } from "./dissect.ts";
import { TestNetwork, type TestNode, type TestProgram } from "./namespace.ts";
import { peerPath } from "./peers.ts";
import { until } from "./until.ts";
import { type Brand, Router } from "./vrrp-pair.ts";

/** Which of the two a configuration is for. `a` is the one that is to be master. */
export interface Side {
  readonly name: "a" | "b";
  /** Its address on the first LAN, and its peer's. */
  readonly address: string;
  readonly peer: string;
}

export interface InteropCase {
  readonly name: string;
  /** What is to be seen, as a sentence for the page. */
  readonly result: string;
  /** The whole keepalived.conf. */
  readonly configuration: (side: Side) => string;
  /** Held by the master and nobody else. */
  readonly addresses: readonly string[];
  /** Besides the LAN on eth0 another one on eth1. */
  readonly secondLan?: boolean;
  readonly story: (pair: InteropPair) => Promise<void>;
  /** Where adverts go; version 2 and 3 over IPv4 multicast when missing. */
  readonly destinations?: readonly string[];
}

/** Everything that one case is, in one role. @throws {assert.AssertionError} */
export async function playInteropCase(one: InteropCase, brands: InteropRole): Promise<InteropTranscript> {
  await using pair = await InteropPair.start(one, brands);
  await one.story(pair);
  await pair.endCapture();
  const adverts = dissectAdverts(pair.captureFile);
  assert.ok(adverts.length > 2, `${adverts.length} adverts captured`);
  assert.deepEqual(
    adverts.filter((advert) => advert.checksum !== "1" || advert.expert !== "" || advert.ttl !== "255"),
    [],
  );
  const destinations = [...new Set(adverts.map(({ destination }) => destination))].sort();
  assert.deepEqual(destinations, one.destinations ?? ["224.0.0.18"]);
  return { a: pair.a.program.output, b: pair.b.program.output };
}

export interface InteropRole {
  readonly a: Brand;
  readonly b: Brand;
}

export const INTEROP_ROLES: readonly InteropRole[] = [
  { a: "evenkeel", b: "keepalived" },
  { a: "keepalived", b: "evenkeel" },
];

/** What each said since its last start. */
export interface InteropTranscript {
  readonly a: string;
  readonly b: string;
}

const ETHERNET_BYTES = 14;
const IPV4_PROTOCOL = 9;
const IPV4_SOURCE = 12;

export const SIDES: readonly [Side, Side] = [
  { name: "a", address: "10.9.0.1", peer: "10.9.0.2" },
  { name: "b", address: "10.9.0.2", peer: "10.9.0.1" },
];

export class InteropPair implements AsyncDisposable {
  readonly a: Router;
  readonly b: Router;
  readonly client: TestNode;
  readonly lan: TestNode;
  readonly #addresses: readonly string[];
  readonly #network: TestNetwork;
  readonly #folder: string;
  readonly #capture: TestProgram;
  /** By source address. */
  readonly #heard = new Map<string, number>();
  readonly #ear: PacketSocket;

  static async start(one: InteropCase, brands: InteropRole): Promise<InteropPair> {
    const network = new TestNetwork();
    const [a, b, client] = [await network.node("a"), await network.node("b"), await network.node("client")];
    const lan = await network.segment("lan", [
      { node: a, interface: "eth0", addresses: ["10.9.0.1/24"] },
      { node: b, interface: "eth0", addresses: ["10.9.0.2/24"] },
      { node: client, interface: "eth0", addresses: ["10.9.0.9/24"] },
    ]);
    if (one.secondLan === true) {
      await network.segment("second", [
        { node: a, interface: "eth1", addresses: ["10.8.0.1/24"] },
        { node: b, interface: "eth1", addresses: ["10.8.0.2/24"] },
      ]);
    }
    const pair = new InteropPair(network, { a, b, client, lan }, one, brands);
    await pair.#capture.sees(/^File: /m);
    return pair;
  }

  private constructor(
    network: TestNetwork,
    nodes: Readonly<Record<"a" | "b" | "client" | "lan", TestNode>>,
    one: InteropCase,
    brands: InteropRole,
  ) {
    this.#network = network;
    this.#folder = mkdtempSync(join(tmpdir(), "interop-"));
    this.#addresses = one.addresses;
    this.client = nodes.client;
    this.lan = nodes.lan;
    const [first, second] = SIDES.map(one.configuration);
    this.a = new Router(nodes.a, brands.a, this.#folder, first ?? "", nodes.lan, "p0");
    this.b = new Router(nodes.b, brands.b, this.#folder, second ?? "", nodes.lan, "p1");
    const filter = "proto 112 or arp or (ip6 and (ip6[6] == 112 or ip6[6] == 58))";
    const argv = [peerPath("dumpcap"), "-q", "-P", "-i", "br0", "-f", filter, "-w", this.captureFile];
    this.#capture = nodes.lan.start(argv);
    this.#ear = nodes.lan.within(() => this.#listen());
  }

  #listen(): PacketSocket {
    const interfaces = new Interfaces({ onChange: () => undefined, onError: () => undefined });
    const bridge = interfaces.byName("br0");
    interfaces.close();
    return openPacketSocket({
      interfaceIndex: bridge?.index ?? 0,
      protocol: 0x0800,
      promiscuous: true,
      onFrames: (frames) => {
        for (const { bytes } of frames) {
          if (bytes[ETHERNET_BYTES + IPV4_PROTOCOL] !== PROTOCOL_VRRP) continue;
          const source = ipv4FromBytes(bytes, ETHERNET_BYTES + IPV4_SOURCE);
          this.#heard.set(source, (this.#heard.get(source) ?? 0) + 1);
        }
      },
      onError: () => undefined,
    });
  }

  get captureFile(): string {
    return join(this.#folder, "lan.pcap");
  }

  async endCapture(): Promise<void> {
    await this.#capture.stop("SIGINT");
  }

  /** Starts both and waits until `a` holds all and `b` nothing. */
  async up(): Promise<void> {
    this.a.start();
    this.b.start();
    await this.settles(this.a);
  }

  /** Until it holds every address, whatever the other one does. */
  async holds(router: Router): Promise<void> {
    for (const address of this.#addresses) {
      await until(`${nameOf(router)} holds ${address}`, () => this.holding(router, address));
    }
  }

  async holding(router: Router, address: string): Promise<boolean> {
    return (await heldBy(router)).has(address);
  }

  /** Until this one holds every address and the other none. */
  async settles(owner: Router): Promise<void> {
    const other = owner === this.a ? this.b : this.a;
    await until(`${nameOf(owner)} alone holds ${this.#addresses.join(", ")}`, async () => {
      const [mine, theirs] = [await heldBy(owner), await heldBy(other)];
      return this.#addresses.every((address) => mine.has(address) && !theirs.has(address));
    });
  }

  /** Nothing moves before `when`: asked every few milliseconds while it is waited for. */
  async staysWith(owner: Router, when: Promise<unknown>): Promise<void> {
    let over = false;
    const end = when.finally(() => {
      over = true;
    });
    while (!over) {
      const held = await heldBy(owner);
      for (const address of this.#addresses) assert.ok(held.has(address), `${nameOf(owner)} lost ${address}`);
    }
    await end;
  }

  /** IPv4 adverts that it has sent on the first LAN so far. */
  advertsOf(router: Router): number {
    return this.#heard.get(router === this.a ? "10.9.0.1" : "10.9.0.2") ?? 0;
  }

  /** Waits for so many more of them. */
  async adverts(router: Router, count: number): Promise<void> {
    const before = this.advertsOf(router);
    await until(`${count} adverts of ${nameOf(router)}`, () => this.advertsOf(router) >= before + count);
  }

  /** A neighbour that asks anew hears this MAC address. */
  async answersWith(address: string, mac: string): Promise<void> {
    await until(`${address} answers with ${mac}`, async () => {
      await this.client.run("ip", "neigh", "flush", "dev", "eth0");
      await this.client.run("ping", "-c", "1", "-W", "1", address).catch(() => "");
      const [neighbour] = await this.client.ipJson("neigh", "show", address);
      return neighbour?.lladdr === mac;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ear.close();
    await this.#network[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export const nameOf = (router: Router): string => `${router.node.name.split("-").at(-1)} (${router.brand})`;

/** Addresses on any interface of it. */
async function heldBy(router: Router): Promise<ReadonlySet<string>> {
  const links: { addr_info: { local: string }[] }[] = await router.node.ipJson("addr", "show");
  return new Set(links.flatMap((link) => link.addr_info.map(({ local }) => local)));
}
