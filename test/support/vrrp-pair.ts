/**
 * Two routers on one LAN that share a VIP, each either evenkeel or Debian's keepalived, with a capture of the LAN.
 *
 * Every process that a router consists of is signalled by its process id.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TestNetwork, type TestNode, type TestProgram } from "./namespace.ts";
import { peerPath } from "./peers.ts";
import { until } from "./until.ts";

export type Brand = "evenkeel" | "keepalived";

export const EVENKEEL = fileURLToPath(new URL("../../bin/evenkeel", import.meta.url));

export interface PairOptions {
  readonly master: Brand;
  readonly backup: Brand;
  /** Lines that both instances have besides interface, vrid, priority and VIP. */
  readonly lines: readonly string[];
}

export const VIP = "10.9.0.100";

/** The process and all that came of it, the process first. */
export function tree(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return [pid, ...(children === "" ? [] : children.split(" ").flatMap((child) => tree(Number(child))))];
}

/** Signals every process of the tree; those that ended meanwhile are passed over. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  for (const one of tree(pid)) {
    try {
      process.kill(one, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

export class Router {
  readonly node: TestNode;
  readonly brand: Brand;
  readonly #folder: string;
  readonly #configuration: string;
  #program: TestProgram | undefined;
  #outlet: string;
  #lan: TestNode;

  constructor(node: TestNode, brand: Brand, folder: string, configuration: string, lan: TestNode, outlet: string) {
    this.node = node;
    this.brand = brand;
    this.#folder = folder;
    this.#configuration = join(folder, `${node.name}.conf`);
    this.#lan = lan;
    this.#outlet = outlet;
    this.write(configuration);
  }

  /** Its keepalived.conf; read at a start or SIGHUP. */
  write(configuration: string): void {
    writeFileSync(this.#configuration, configuration);
  }

  get program(): TestProgram {
    if (this.#program === undefined) throw new Error(`${this.node.name} was not started`);
    return this.#program;
  }

  /** evenkeel's control socket. */
  get socket(): string {
    return this.#file("sock");
  }

  start(): void {
    const argv =
      this.brand === "evenkeel"
        ? [EVENKEEL, "run", "-f", this.#configuration, "--socket", this.socket]
        : [
            peerPath("keepalived"),
            "-n",
            "-l",
            "-D",
            "-P",
            "-f",
            this.#configuration,
            "-p",
            this.#file("pid"),
            "-r",
            this.#file("vrrp.pid"),
          ];
    this.#program = this.node.start(argv);
  }

  #file(suffix: string): string {
    return join(this.#folder, `${this.node.name}.${suffix}`);
  }

  async holdsVip(): Promise<boolean> {
    const [link] = await this.node.ipJson("addr", "show", "dev", "eth0");
    return (link.addr_info as { local: string }[]).some((one) => one.local === VIP);
  }

  holding(): Promise<true> {
    return until(`${this.node.name} (${this.brand}) holds ${VIP}`, () => this.holdsVip());
  }

  lettingGo(): Promise<true> {
    return until(`${this.node.name} (${this.brand}) lets ${VIP} go`, async () => !(await this.holdsVip()));
  }

  async stop(): Promise<void> {
    await this.program.stop("SIGTERM");
  }

  async kill(): Promise<void> {
    signalTree(this.program.pid, "SIGKILL");
    await this.program.exited;
    // keepalived leaves its VIP behind; the test's next step must not take it for a living one's.
    if (this.brand === "keepalived") await this.node.run("ip", "addr", "flush", "dev", "eth0", "to", VIP);
  }

  freeze(): void {
    signalTree(this.program.pid, "SIGSTOP");
  }

  resume(): void {
    signalTree(this.program.pid, "SIGCONT");
  }

  cable(state: "up" | "down"): Promise<string> {
    return this.#lan.run("ip", "link", "set", this.#outlet, state);
  }
}

export class VrrpPair implements AsyncDisposable {
  readonly master: Router;
  readonly backup: Router;
  readonly lan: TestNode;
  readonly #network: TestNetwork;
  readonly #folder: string;
  readonly #capture: TestProgram;

  static async start(options: PairOptions): Promise<VrrpPair> {
    const network = new TestNetwork();
    const [a, b] = [await network.node("a"), await network.node("b")];
    const lan = await network.segment("lan", [
      { node: a, interface: "eth0", addresses: ["10.9.0.1/24"] },
      { node: b, interface: "eth0", addresses: ["10.9.0.2/24"] },
    ]);
    const pair = new VrrpPair(network, a, b, lan, options);
    await pair.#capture.sees(/^File: /m);
    pair.master.start();
    pair.backup.start();
    await pair.master.holding();
    return pair;
  }

  private constructor(network: TestNetwork, a: TestNode, b: TestNode, lan: TestNode, options: PairOptions) {
    this.#network = network;
    this.#folder = mkdtempSync(join(tmpdir(), "vrrp-pair-"));
    this.lan = lan;
    this.master = new Router(a, options.master, this.#folder, configuration(options, "MASTER", 150), lan, "p0");
    this.backup = new Router(b, options.backup, this.#folder, configuration(options, "BACKUP", 100), lan, "p1");
    this.#capture = lan.start([
      peerPath("dumpcap"),
      "-q",
      "-P",
      "-i",
      "br0",
      "-f",
      "proto 112 or arp",
      "-w",
      this.captureFile,
    ]);
  }

  get captureFile(): string {
    return join(this.#folder, "lan.pcap");
  }

  async endCapture(): Promise<void> {
    await this.#capture.stop("SIGINT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#network[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function configuration(options: PairOptions, state: string, priority: number): string {
  return `vrrp_instance VI_1 {
    state ${state}
    interface eth0
    virtual_router_id 51
    priority ${priority}
${options.lines.map((line) => `    ${line}`).join("\n")}
    virtual_ipaddress {
        ${VIP}/24
    }
}
`;
}
