/**
 * Private networks for tests: network namespaces joined by veth pairs and bridges, and programs that run in them.
 *
 * Needs root, or the root of a user namespace with a writable /run, as scripts/test provides. What the kernel lacks fails
 * the test and is named. Closing a network ends its programs and removes its namespaces, and with them all interfaces.
 */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { promisify } from "node:util";
import { enterNamespace } from "../../src/sys/namespaces.ts";
import { until } from "./until.ts";

const execute = promisify(execFile);

/** One end of a link: an interface in a node. */
export interface Port {
  readonly node: TestNode;
  readonly interface: string;
  /** `10.0.0.1/24`, several of them, or none. */
  readonly addresses?: readonly string[];
}

let networks = 0;

/** `await using network = new TestNetwork()`. */
export class TestNetwork implements AsyncDisposable {
  /** Unique on the machine while this process lives. */
  readonly #prefix = `ek${process.pid}n${networks++}`;
  readonly #nodes = new Map<string, TestNode>();

  /** A namespace with its loopback up. */
  async node(name: string): Promise<TestNode> {
    const full = `${this.#prefix}-${name}`;
    await ip(["netns", "add", full], "network namespaces (CONFIG_NET_NS, CAP_SYS_ADMIN, a writable /run/netns)");
    const node = new TestNode(full);
    this.#nodes.set(full, node);
    await ip(["-n", full, "link", "set", "lo", "up"]);
    return node;
  }

  /** A cable: what is sent at one end arrives at the other. */
  async link(a: Port, b: Port): Promise<void> {
    const first = ["link", "add", a.interface, "netns", a.node.name, "type", "veth"];
    await ip([...first, "peer", "name", b.interface, "netns", b.node.name], "veth pairs (CONFIG_VETH)");
    await start(a);
    await start(b);
  }

  /** A LAN: a bridge that floods multicast (no snooping). Its side of a port is `NODE-INTERFACE` in the node returned. */
  async segment(name: string, ports: readonly Port[]): Promise<TestNode> {
    const lan = await this.node(`lan-${name}`);
    const bridge = ["-n", lan.name, "link", "add", "br0", "up", "type", "bridge", "mcast_snooping", "0"];
    await ip(bridge, "bridges (CONFIG_BRIDGE)");
    for (const [index, port] of ports.entries()) {
      const outlet = `p${index}`;
      await this.link(port, { node: lan, interface: outlet });
      await ip(["-n", lan.name, "link", "set", outlet, "master", "br0"]);
    }
    return lan;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes.values()) await node.endPrograms();
    for (const name of this.#nodes.keys()) await ip(["netns", "del", name]);
    this.#nodes.clear();
  }
}

async function start({ node, interface: name, addresses = [] }: Port): Promise<void> {
  for (const address of addresses) await ip(["-n", node.name, "addr", "add", address, "dev", name]);
  await ip(["-n", node.name, "link", "set", name, "up"]);
}

/** Runs iproute2 in the test's own namespace. `needs` names what is missing in the kernel when it is refused. */
async function ip(parameters: readonly string[], needs?: string): Promise<void> {
  try {
    await execute("ip", parameters);
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    const reason = needs === undefined ? "" : `; this test needs ${needs}`;
    throw new Error(`ip ${parameters.join(" ")}: ${said === "" ? error : said}${reason}`);
  }
}

export class TestNode {
  /** As `ip netns` knows it. */
  readonly name: string;
  readonly #programs = new Set<TestProgram>();

  constructor(name: string) {
    this.name = name;
  }

  /** Standard output of a command that must succeed. */
  async run(...argv: string[]): Promise<string> {
    const { stdout } = await execute("ip", ["netns", "exec", this.name, ...argv]);
    return stdout;
  }

  /** `ip -json` with these parameters, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: iproute2's answers have many shapes
  async ipJson(...parameters: string[]): Promise<any> {
    const { stdout } = await execute("ip", ["-json", "-details", "-n", this.name, ...parameters]);
    return JSON.parse(stdout === "" ? "[]" : stdout);
  }

  /** Starts a program that runs until it is stopped or the network is closed. */
  start(argv: readonly string[], options: { env?: Record<string, string>; cwd?: string } = {}): TestProgram {
    const child = spawn("ip", ["netns", "exec", this.name, ...argv], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const program = new TestProgram(child, argv.join(" "));
    this.#programs.add(program);
    return program;
  }

  /** Calls `body` with this process in the node's network: sockets that it opens stay there. It must not wait. */
  within<T>(body: () => T): T {
    const home = openSync("/proc/self/ns/net", "r");
    try {
      enterNamespace(`/run/netns/${this.name}`, "net");
      try {
        return body();
      } finally {
        enterNamespace(`/proc/self/fd/${home}`, "net");
      }
    } finally {
      closeSync(home);
    }
  }

  async endPrograms(): Promise<void> {
    await Promise.all(Array.from(this.#programs, (program) => program.stop("SIGKILL")));
    this.#programs.clear();
  }
}

const LONGEST_OUTPUT = 4 << 20;

export class TestProgram {
  readonly pid: number;
  /** Standard output and error together, as far as they came; the last 4 MB. */
  output = "";
  readonly exited: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;
  readonly #title: string;

  constructor(child: ChildProcess, title: string) {
    if (child.pid === undefined) throw new Error(`cannot start ip netns exec for ${title}`);
    this.pid = child.pid;
    this.#child = child;
    this.#title = title;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output = (this.output + text).slice(-LONGEST_OUTPUT);
      });
    }
    this.exited = new Promise((resolve) => child.once("close", (status, signal) => resolve({ status, signal })));
  }

  /** Waits until the output matches; fails with the output when the program ends first or the deadline passes. */
  async sees(pattern: RegExp, deadlineMilliseconds?: number): Promise<RegExpMatchArray> {
    const look = () => {
      const match = this.output.match(pattern);
      if (match === null && this.#child.exitCode !== null) throw new Error(`it ended with ${this.#child.exitCode}`);
      return match;
    };
    try {
      return await until(`${pattern}`, look, deadlineMilliseconds);
    } catch (error) {
      throw new Error(`${this.#title}: ${error instanceof Error ? error.message : error}; it said:\n${this.output}`);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Signals it and waits for its end. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<{ status: number | null; signal: NodeJS.Signals | null }> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.kill(signal);
    return this.exited;
  }
}
