/**
 * The compiled data plane in a network namespace of its own, fed with single packets (BPF_PROG_TEST_RUN): a director between
 * 10.1.0.0/24 with its clients and 10.2.0.0/24 with its servers; IPv6 likewise. What it decides to send is not sent.
 */

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Layouts, numberKey } from "../../src/director/layouts.ts";
import type { MapName, TableMap } from "../../src/director/map-set.ts";
import { Tables } from "../../src/director/tables.ts";
import { type BpfObject, loadObject, readObjectTypes } from "../../src/sys/bpf.ts";
import type { BpfMap } from "../../src/sys/bpf-map.ts";
import { type TestRunResult, testRun } from "../../src/sys/bpf-test-run.ts";
import { type Flow, type FrameOptions, frame } from "./frames.ts";
import { DIRECTOR_OBJECT } from "./memory-maps.ts";
import { TestNetwork, type TestNode } from "./namespace.ts";
import type { PacketWork } from "./packet-worker.ts";

const CPUS = 16;
const STATE_NAMES = ["NONE", "ES", "SS", "SR", "FW", "TW", "CL", "CW", "LA", "LI", "SA", "UDP"];

export class DataPlane implements AsyncDisposable {
  readonly tables: Tables;
  readonly object: BpfObject;
  readonly #network: TestNetwork;
  readonly #director: TestNode;
  readonly #hardware: Uint8Array;
  readonly #interface: number;
  readonly layouts: Layouts;

  static async start(): Promise<DataPlane> {
    const network = new TestNetwork();
    const director = await network.node("director");
    const others = await network.node("others");
    // An address that is still being probed is no source for tunnels.
    await director.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
    await network.link(
      { node: director, interface: "eth0", addresses: ["10.1.0.1/24", "fd01::1/64"] },
      { node: others, interface: "eth0" },
    );
    await network.link(
      { node: director, interface: "eth1", addresses: ["10.2.0.1/24", "fd02::1/64"] },
      { node: others, interface: "eth1" },
    );
    await director.run("sysctl", "-qw", "net.ipv4.conf.lo.forwarding=1", "net.ipv6.conf.lo.forwarding=1");
    const [link] = await director.ipJson("link", "show", "eth0");
    const hardware = Uint8Array.from(String(link.address).split(":"), (part) => Number.parseInt(part, 16));
    return new DataPlane(network, director, hardware, Number(link.ifindex));
  }

  private constructor(network: TestNetwork, director: TestNode, hardware: Uint8Array, index: number) {
    this.#network = network;
    this.#director = director;
    this.#hardware = hardware;
    this.#interface = index;
    const mapSizes = { counters: 16384 * CPUS, connections4: 1024, connections6: 1024, replies4: 1024, replies6: 1024 };
    this.object = director.within(() =>
      loadObject({ file: DIRECTOR_OBJECT, constants: { cpus: CPUS, have_route_source: true }, mapSizes }),
    );
    const btf = readObjectTypes(DIRECTOR_OBJECT);
    this.layouts = new Layouts(btf);
    const maps = Object.fromEntries(this.object.maps) as unknown as Record<MapName, TableMap>;
    this.tables = new Tables(
      { maps, btf, cpus: CPUS },
      { now: () => process.hrtime.bigint(), exclusively: (work) => work(), settle: () => {}, isLocal: () => false },
    );
  }

  /** Runs the program of arriving packets over one. */
  receive(flow: Flow, options: FrameOptions & { readonly mark?: number } = {}): TestRunResult {
    return this.receiveFrame(frame(flow, options), options.mark);
  }

  /** The same, with a frame made elsewhere; the hardware address is put right. */
  receiveFrame(bytes: Uint8Array, mark?: number): TestRunResult {
    const packet = Uint8Array.from([...this.#hardware, ...bytes.subarray(this.#hardware.length)]);
    const run = { packet, interface: this.#interface, mark };
    return this.#director.within(() => testRun(this.object.program("ingress"), run));
  }

  /** The same by a thread of its own; resolves when it has sent them. All who have a seed send the same. */
  async receiveAside(seed: number, packets: number, frames?: readonly Uint8Array[]): Promise<void> {
    const workerData: PacketWork = {
      namespace: `/run/netns/${this.#director.name}`,
      program: this.object.program("ingress"),
      interface: this.#interface,
      hardware: this.#hardware,
      seed,
      packets,
      frames,
    };
    const [status] = await once(new Worker(new URL("./packet-worker.ts", import.meta.url), { workerData }), "exit");
    if (status !== 0) throw new Error(`the thread ended with ${status}`);
  }

  /** Initials of the only IPv4 connection's state, as l4.md §1.3 has them. */
  state(): string {
    const [, value] = this.#only();
    return STATE_NAMES[this.#view(value).getUint32(this.#stateAt, true)] ?? "?";
  }

  /** Puts the only IPv4 connection into another state, past the counts; its timer is gone then. */
  setState(name: string): void {
    const [key, value] = this.#only();
    this.#view(value).setUint32(this.#stateAt, STATE_NAMES.indexOf(name), true);
    this.#connections.update(key, value);
    for (const [replyKey, reply] of [...this.object.map("replies4").entries()]) {
      this.#view(reply).setUint32(this.layouts.offsets("ek_reply")("flags"), 0, true);
      this.object.map("replies4").update(replyKey, reply);
    }
  }

  forgetConnections(): void {
    for (const name of ["connections4", "connections6", "replies4", "replies6", "tokens4", "tokens6"]) {
      const map = this.object.map(name);
      for (const [key] of [...map.entries()]) map.delete(key);
    }
  }

  /** Milliseconds that every state lasts without a packet. */
  setAllTimeouts(milliseconds: number): void {
    const settings = this.layouts.settings.decode(this.object.map("settings").lookup(numberKey(0)) ?? new Uint8Array());
    const timeout_ms = settings.timeout_ms.map(() => milliseconds);
    this.object.map("settings").update(numberKey(0), this.layouts.settings.encode({ ...settings, timeout_ms }));
  }

  /** The wheel turns and has come to the present: it does not look at connections before their time. */
  isWheelAtRest(): boolean {
    const bytes = this.object.map("wheel").lookup(numberKey(0)) ?? new Uint8Array();
    const at = this.layouts.offsets("ek_wheel");
    const present = Number(BigInt.asUintN(32, process.hrtime.bigint() >> 28n));
    return (
      this.#view(bytes).getUint32(at("running"), true) === 1 && this.#view(bytes).getUint32(at("tick"), true) >= present
    );
  }

  /** Packets counted for a reason, `enum ek_reason` without its prefix. */
  reason(name: string): number {
    const bytes = this.object.map("reasons").lookup(numberKey(this.layouts.value(`EK_REASON_${name}`)));
    if (bytes === undefined) return 0;
    let sum = 0;
    for (let at = 0; at < bytes.length; at += 8) sum += Number(this.#view(bytes).getBigUint64(at, true));
    return sum;
  }

  get #connections(): BpfMap {
    return this.object.map("connections4");
  }

  get #stateAt(): number {
    return this.layouts.offsets("ek_connection")("state");
  }

  #only(): readonly [Uint8Array, Uint8Array] {
    const [entry, ...rest] = [...this.#connections.entries()];
    if (entry === undefined || rest.length > 0) throw new Error(`${rest.length + 1} connections instead of one`);
    return [entry[0].slice(), entry[1].slice()];
  }

  #view(bytes: Uint8Array): DataView {
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.object.close();
    await this.#network[Symbol.asyncDispose]();
  }
}
