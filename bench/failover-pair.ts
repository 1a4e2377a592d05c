/**
 * Two routers of one brand, a client and a witness on one LAN, for bench/failover.ts: what can happen to the better router,
 * and what the client, the kernels of the routers and the witness see of it.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Ipv4Address } from "../src/base/ip.ts";
import { BROADCAST_MAC, type MacAddress } from "../src/base/mac.ts";
import { Interfaces } from "../src/sys/interfaces.ts";
import { openPacketSocket } from "../src/sys/packet-socket.ts";
import { ARP_REQUEST, decodeArp, encodeArp } from "../src/wire/arp.ts";
import { ETHERTYPE_ARP, encodeEthernet } from "../src/wire/ethernet.ts";
import { TestNetwork, type TestNode, type TestProgram } from "../test/support/namespace.ts";
import { peerPath } from "../test/support/peers.ts";
import { until } from "../test/support/until.ts";
import { type Brand, EVENKEEL, signalTree } from "../test/support/vrrp-pair.ts";
import type { ClientReport } from "./failover-client.ts";

export const DEATHS = ["link lost", "clean stop", "kill -9", "freeze"] as const;
export type Death = (typeof DEATHS)[number];

export interface Setting {
  readonly name: string;
  readonly version: 2 | 3;
  readonly advertIntervalMs: number;
}

const VIP = "10.9.0.100" as Ipv4Address;
const PROBE_INTERVAL_MS = 5;
/** After the first answer, and after the last thing that happens. */
const QUIET_MS = 400;
const LONGEST_WAIT_MS = 30_000;
const ANSWERS_WITHIN_MS = 200;
const CLIENT = fileURLToPath(new URL("failover-client.ts", import.meta.url));

const configuration = ({ version, advertIntervalMs }: Setting, state: string, priority: number) => `vrrp_instance VI_1 {
    state ${state}
    interface eth0
    virtual_router_id 51
    priority ${priority}
    version ${version}
    advert_int ${advertIntervalMs / 1_000}
    virtual_ipaddress {
        ${VIP}/24
    }
}
`;

/** One router: its processes, and when its kernel had the VIP. */
class Contestant {
  readonly node: TestNode;
  readonly #brand: Brand;
  readonly #files: string;
  readonly #interfaces: Interfaces;
  #program: TestProgram | undefined;
  #heldSince: number | undefined;
  /** In milliseconds, like `performance.now()`. */
  readonly #spans: (readonly [from: number, to: number])[] = [];

  constructor(node: TestNode, brand: Brand, files: string, text: string) {
    this.node = node;
    this.#brand = brand;
    this.#files = files;
    writeFileSync(`${files}.conf`, text);
    this.#interfaces = node.within(() => {
      const look = () => this.#look();
      return new Interfaces({ onChange: look, onError: look });
    });
  }

  #look(): void {
    const holds = this.#interfaces.byName("eth0")?.addresses.some(({ address }) => address === VIP) === true;
    if (holds === (this.#heldSince !== undefined)) return;
    if (this.#heldSince !== undefined) this.#spans.push([this.#heldSince, performance.now()]);
    this.#heldSince = holds ? performance.now() : undefined;
  }

  get holds(): boolean {
    return this.#heldSince !== undefined;
  }

  /** When it had the VIP, since `from`. */
  spans(from: number): (readonly [number, number])[] {
    const all =
      this.#heldSince === undefined ? this.#spans : [...this.#spans, [this.#heldSince, performance.now()] as const];
    return all.filter(([, to]) => to > from).map(([since, to]) => [Math.max(since, from), to]);
  }

  start(): void {
    const files = ["-f", `${this.#files}.conf`];
    const pids = ["-p", `${this.#files}.pid`, "-r", `${this.#files}.vrrp.pid`];
    this.#program = this.node.start(
      this.#brand === "evenkeel"
        ? [EVENKEEL, "run", ...files, "--socket", `${this.#files}.sock`]
        : [peerPath("keepalived"), "-n", "-l", "-P", ...files, ...pids],
    );
  }

  get program(): TestProgram {
    if (this.#program === undefined) throw new Error("it was not started");
    return this.#program;
  }

  /** How often it became master since its last start. */
  get takeOvers(): number {
    return this.program.output.match(/Entering MASTER STATE/g)?.length ?? 0;
  }

  close(): void {
    this.#interfaces.close();
  }
}

/** What was seen of a death. */
export interface Gone extends ClientReport {
  /** From the blow until the other router's kernel had the address. */
  readonly takenAfterMs: number;
}

export interface Owners {
  /** Both kernels had the VIP. */
  readonly twoForMs: number;
  /** Hardware addresses that answer an ARP request for the VIP at the end. */
  readonly answering: number;
}

export class ContestPair implements AsyncDisposable {
  readonly #network: TestNetwork;
  readonly #folder: string;
  readonly #lan: TestNode;
  readonly #client: TestNode;
  readonly #witness: TestNode;
  readonly #better: Contestant;
  readonly #other: Contestant;
  #diedAt = 0;
  #expectedTakeOvers = 0;

  static async start(brand: Brand, setting: Setting): Promise<ContestPair> {
    const network = new TestNetwork();
    const names = ["a", "b", "client", "witness"] as const;
    const [a, b, client, witness] = [
      await network.node(names[0]),
      await network.node(names[1]),
      await network.node(names[2]),
      await network.node(names[3]),
    ];
    const lan = await network.segment("lan", [
      { node: a, interface: "eth0", addresses: ["10.9.0.1/24"] },
      { node: b, interface: "eth0", addresses: ["10.9.0.2/24"] },
      { node: client, interface: "eth0", addresses: ["10.9.0.9/24"] },
      { node: witness, interface: "eth0" },
    ]);
    const pair = new ContestPair(network, { lan, a, b, client, witness }, brand, setting);
    pair.#better.start();
    await pair.#settled();
    pair.#other.start();
    await sleep(1_000);
    return pair;
  }

  private constructor(
    network: TestNetwork,
    { lan, a, b, client, witness }: Readonly<Record<"lan" | "a" | "b" | "client" | "witness", TestNode>>,
    brand: Brand,
    setting: Setting,
  ) {
    this.#network = network;
    this.#folder = mkdtempSync(join(tmpdir(), "failover-"));
    [this.#lan, this.#client, this.#witness] = [lan, client, witness];
    this.#better = new Contestant(a, brand, join(this.#folder, "a"), configuration(setting, "MASTER", 200));
    this.#other = new Contestant(b, brand, join(this.#folder, "b"), configuration(setting, "BACKUP", 100));
  }

  /** The better router dies and the other one takes over. */
  async die(death: Death): Promise<Gone> {
    this.#expectedTakeOvers++;
    const report = await this.#watched(async () => {
      this.#diedAt = performance.now();
      await this.#strike(death);
      await until(`the other router takes over after ${death}`, () => this.#other.holds, LONGEST_WAIT_MS);
    });
    const [[takenAt] = [Number.NaN]] = this.#other.spans(this.#diedAt);
    return { ...report, takenAfterMs: Number((takenAt - this.#diedAt).toFixed(1)) };
  }

  async #strike(death: Death): Promise<void> {
    const { program } = this.#better;
    switch (death) {
      case "link lost":
        await this.#cable("down");
        return;
      case "clean stop":
        await program.stop("SIGTERM");
        return;
      case "kill -9":
        signalTree(program.pid, "SIGKILL");
        await program.exited;
        return;
      case "freeze":
        signalTree(program.pid, "SIGSTOP");
        return;
      default:
        death satisfies never;
    }
  }

  /** `afterMs` after the death: who has the address. */
  async owners(afterMs: number): Promise<Owners> {
    await sleep(Math.max(0, this.#diedAt + afterMs - performance.now()));
    const [mine, theirs] = [this.#better.spans(this.#diedAt), this.#other.spans(this.#diedAt)];
    const common = mine.flatMap(([from, to]) =>
      theirs.map(([since, till]) => Math.max(0, Math.min(to, till) - Math.max(from, since))),
    );
    return { twoForMs: Math.round(common.reduce((sum, one) => sum + one, 0)), answering: await this.#answering() };
  }

  /** What has happened is undone, and the better router takes the address back. */
  async comeBack(death: Death): Promise<ClientReport> {
    return this.#watched(async () => {
      if (death === "link lost") await this.#cable("up");
      else if (death === "freeze") signalTree(this.#better.program.pid, "SIGCONT");
      else this.#better.start();
      await this.#settled();
    });
  }

  /** What the two said since their last starts. */
  get log(): string {
    return `${this.#better.program.output}\n${this.#other.program.output}`;
  }

  /** How often the other router took over from one that was alive. */
  get falseTakeOvers(): number {
    return this.#other.takeOvers - this.#expectedTakeOvers;
  }

  #settled(): Promise<true> {
    const settled = () => this.#better.holds && !this.#other.holds;
    return until("the better router alone has the address", settled, LONGEST_WAIT_MS);
  }

  async #cable(state: "up" | "down"): Promise<void> {
    await this.#lan.run("ip", "link", "set", "p0", state);
  }

  async #watched(event: () => Promise<void>): Promise<ClientReport> {
    const client = this.#client.start([process.execPath, CLIENT, VIP, String(PROBE_INTERVAL_MS)]);
    await client.sees(/^answering$/m);
    // Not always at the same point of the master's interval.
    await sleep(QUIET_MS * (1 + Math.random()));
    await event();
    await sleep(QUIET_MS);
    await client.stop("SIGTERM");
    const [line] = /^\{.*\}$/m.exec(client.output) ?? [];
    if (line === undefined) throw new Error(`the client said: ${client.output}`);
    return JSON.parse(line) as ClientReport;
  }

  /** Asked with no sender address (RFC 5227 §1.1), so that nobody learns anything from question or answers. */
  async #answering(): Promise<number> {
    const answers = new Set<MacAddress>();
    const socket = this.#witness.within(() => {
      const interfaces = new Interfaces({ onChange: () => {}, onError: () => {} });
      const { index, mac } = interfaces.byName("eth0") ?? {};
      interfaces.close();
      if (index === undefined || mac === undefined) throw new Error("the witness has no eth0");
      const opened = openPacketSocket({
        interfaceIndex: index,
        protocol: ETHERTYPE_ARP,
        onFrames(frames) {
          for (const { bytes } of frames) {
            const arp = decodeArp(bytes.subarray(14));
            const isAnswer = arp.ok && arp.value.operation !== ARP_REQUEST && arp.value.senderIp === VIP;
            if (isAnswer) answers.add(arp.value.senderMac);
          }
        },
        onError() {},
      });
      const [senderIp, targetMac] = ["0.0.0.0" as Ipv4Address, "00:00:00:00:00:00" as MacAddress];
      const payload = encodeArp({ operation: ARP_REQUEST, senderMac: mac, senderIp, targetMac, targetIp: VIP });
      const frame = { destination: BROADCAST_MAC, source: mac, etherType: ETHERTYPE_ARP, payload };
      opened.send(encodeEthernet(frame), index);
      return opened;
    });
    await sleep(ANSWERS_WITHIN_MS);
    socket.close();
    return answers.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#better.close();
    this.#other.close();
    await this.#network[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
