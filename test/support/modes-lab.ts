/**
 * A client, a director and two real servers for whole paths through the real data plane, in both families.
 *
 *     client eth0 10.1.0.2 ── eth0 10.1.0.1 director eth1 10.2.1.1 ── eth0 10.2.1.2 server 1
 *                                                    eth2 10.2.2.1 ── eth0 10.2.2.2 server 2
 *     client eth1, eth2 ── eth1 of server 1, 2: where answers from the virtual address go, as with DR and TUN
 *
 * IPv6 alike: fd01::2 … Every node runs a traffic agent. The real servers are set up by `evenkeel real`.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type OpenedPlane, openPlane, type PlaneOptions } from "../../src/daemon/plane/open.ts";
import { removeBpffs } from "../../src/sys/bpffs.ts";
import { TestNetwork, type TestNode } from "./namespace.ts";
import type { Address, Called, Request } from "./traffic-agent.ts";
import { until } from "./until.ts";

const EVENKEEL = fileURLToPath(new URL("../../bin/evenkeel", import.meta.url));
const AGENT = fileURLToPath(new URL("./traffic-agent.ts", import.meta.url));
export const VIP = "10.9.0.1";
export const VIP6 = "fd09::1";
/** Server numbers are 1 and 2. */
export const serverAddress = (number: number, family: 4 | 6) =>
  family === 4 ? `10.2.${number}.2` : `fd02:${number}::2`;

/** A process in a node that serves and calls. */
export class Agent {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #last = 0;

  constructor(node: TestNode) {
    this.#child = spawn("ip", ["netns", "exec", node.name, process.execPath, AGENT], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (this.#child.stdout === null) throw new Error("no standard output");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const { id, value, error } = JSON.parse(line) as { id: number; value?: unknown; error?: string };
      const one = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) one?.resolve(value);
      else one?.reject(new Error(error));
    });
    this.#child.once("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the agent has ended"));
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are as various as the requests
  ask(request: Request): Promise<any> {
    const id = ++this.#last;
    this.#child.stdin?.write(`${JSON.stringify({ id, request })}\n`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  transfer(to: Address, up: number, down: number, more: { from?: string; patience?: number } = {}): Promise<Called> {
    return this.ask({ do: "transfer", to, up, down, ...more });
  }

  echo(
    to: Address,
    sizes: readonly number[],
    more: { from?: string; ttl?: number; patience?: number } = {},
  ): Promise<Called[]> {
    return this.ask({ do: "echo", to, sizes, ...more });
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await new Promise((resolve) => this.#child.once("close", resolve));
  }
}

export interface Member {
  readonly node: TestNode;
  readonly agent: Agent;
}

export interface Shape {
  /** MTU of the link between client and director; 1500 when missing. */
  readonly front?: number;
  /** MTU of the links between director and servers. */
  readonly back?: number;
  /** Do the servers have the virtual addresses, as DR and TUN need it? Yes when missing. */
  readonly real?: boolean;
}

export class ModesLab implements AsyncDisposable {
  readonly network = new TestNetwork();
  readonly folder = mkdtempSync("/run/ek-modes");
  readonly #planes: OpenedPlane[] = [];
  /** The director, server 1, server 2. */
  nodes: readonly TestNode[] = [];
  client!: Member;
  director!: Member;
  /** Server 1 and 2. */
  servers!: readonly [Member, Member];

  /** @param ports at which both servers serve, at each of their addresses and at the virtual ones */
  static async start(ports: readonly number[], shape: Shape = {}): Promise<ModesLab> {
    const lab = new ModesLab();
    try {
      await lab.#build(ports, shape);
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #build(ports: readonly number[], { front = 1500, back = 1500, real = true }: Shape): Promise<void> {
    process.env.EVENKEEL_RUN = this.folder;
    const { network } = this;
    const [client, director, one, two] = await Promise.all(
      ["client", "director", "one", "two"].map((name) => network.node(name)),
    );
    if (!client || !director || !one || !two) throw new Error("no nodes");
    this.nodes = [director, one, two];
    for (const node of [client, director, one, two]) {
      // Answers come in by another link than requests go out by; IPv6 addresses are usable at once.
      const settings = ["all.rp_filter=0", "default.rp_filter=0"].map((setting) => `net.ipv4.conf.${setting}`);
      await node.run(
        "sysctl",
        "-qw",
        ...settings,
        "net.ipv6.conf.default.accept_dad=0",
        "net.ipv6.conf.default.dad_transmits=0",
      );
    }
    const addresses = (four: string, six: string) => [`${four}/24`, `${six}/64`];
    await network.link(
      { node: client, interface: "eth0", addresses: addresses("10.1.0.2", "fd01::2") },
      { node: director, interface: "eth0", addresses: addresses("10.1.0.1", "fd01::1") },
    );
    for (const [index, node] of [one, two].entries()) {
      const n = index + 1;
      await network.link(
        { node: director, interface: `eth${n}`, addresses: addresses(`10.2.${n}.1`, `fd02:${n}::1`) },
        { node, interface: "eth0", addresses: addresses(`10.2.${n}.2`, `fd02:${n}::2`) },
      );
      await network.link(
        { node: client, interface: `eth${n}`, addresses: addresses(`10.4.${n}.1`, `fd04:${n}::1`) },
        { node, interface: "eth1", addresses: addresses(`10.4.${n}.2`, `fd04:${n}::2`) },
      );
      // Its MSS does not say what MTU its link has: the path has to be learnt.
      await node.run("ip", "route", "add", "default", "via", `10.2.${n}.1`, "advmss", "1460");
      await node.run("ip", "-6", "route", "add", "default", "via", `fd02:${n}::1`, "advmss", "1440");
      await node.run("ip", "rule", "add", "to", `10.2.${n}.0/24`, "pref", "10", "lookup", "main");
      await node.run("ip", "-6", "rule", "add", "to", `fd02:${n}::/64`, "pref", "10", "lookup", "main");
      await node.run("ip", "rule", "add", "from", VIP, "pref", "20", "lookup", "100");
      await node.run("ip", "route", "add", "default", "via", `10.4.${n}.1`, "table", "100");
      await node.run("ip", "-6", "rule", "add", "from", VIP6, "pref", "20", "lookup", "100");
      await node.run("ip", "-6", "route", "add", "default", "via", `fd04:${n}::1`, "table", "100");
      if (real) await this.real(n, "--no-mss");
    }
    await client.run("ip", "route", "add", "default", "via", "10.1.0.1", "advmss", "1460");
    await client.run("ip", "-6", "route", "add", "default", "via", "fd01::1", "advmss", "1440");
    await director.run("ip", "addr", "add", `${VIP}/32`, "dev", "lo");
    await director.run("ip", "addr", "add", `${VIP6}/128`, "dev", "lo");
    for (const node of [client, director]) await node.run("ip", "link", "set", "eth0", "mtu", `${front}`);
    for (const [index, node] of [one, two].entries()) {
      await node.run("ip", "link", "set", "eth0", "mtu", `${back}`);
      await director.run("ip", "link", "set", `eth${index + 1}`, "mtu", `${back}`);
    }
    // Without its link-local address a node asks for no neighbour, and a second passes until it does.
    for (const [node, links] of [
      [client, 3],
      [director, 3],
      [one, 2],
      [two, 2],
    ] as const) {
      await until("link-local addresses", async () => {
        const found = await node.run("ip", "-6", "-o", "addr", "show", "scope", "link", "-tentative");
        return found.trim().split("\n").length === links;
      });
    }
    const [c, d, a, b] = [client, director, one, two].map((node) => ({ node, agent: new Agent(node) }));
    if (!c || !d || !a || !b) throw new Error("no agents");
    this.client = c;
    this.director = d;
    this.servers = [a, b];
    await Promise.all(
      this.servers.map(({ agent }, index) => {
        const own = [serverAddress(index + 1, 4), serverAddress(index + 1, 6), ...(real ? [VIP, VIP6] : [])];
        const at = own.flatMap((address) => ports.map((port) => ({ address, port })));
        return agent.ask({ do: "serve", name: `${index + 1}`, at });
      }),
    );
  }

  /** Makes server `number` one of DR and TUN for both virtual addresses. @param mss `--no-mss` or `--mss N` */
  async real(number: number, ...mss: string[]): Promise<void> {
    await this.nodes[number]?.run(EVENKEEL, "real", "--vip", VIP, "--vip", VIP6, "--mode", "tun", ...mss);
  }

  open(options: Partial<PlaneOptions> = {}): OpenedPlane {
    const plane = this.within(() => openPlane({ role: "command", capacity: 16_384, ...options }));
    this.#planes.push(plane);
    return plane;
  }

  /** In the director's network; must not wait. */
  within<T>(work: () => T): T {
    return this.director.node.within(work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const plane of this.#planes) this.within(() => plane.close());
    for (const member of [this.client, this.director, ...(this.servers ?? [])]) await member?.agent.end();
    await this.network[Symbol.asyncDispose]();
    removeBpffs(`${this.folder}/bpf`);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
