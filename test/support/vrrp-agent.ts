/** A vrrp process in a node of a test network, from a configuration as a value: `vrrp-agent-main.ts`; and keepalived beside it. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { VrrpConfiguration } from "../../src/config/model/vrrp.ts";
import { TestNetwork, type TestNode, type TestProgram } from "./namespace.ts";
import { peerPath } from "./peers.ts";
import { until } from "./until.ts";

const MAIN = fileURLToPath(new URL("vrrp-agent-main.ts", import.meta.url));

export class VrrpAgent {
  readonly node: TestNode;
  readonly program: TestProgram;
  readonly #file: string;

  constructor(node: TestNode, file: string, configuration: VrrpConfiguration) {
    this.node = node;
    this.#file = file;
    writeFileSync(file, JSON.stringify(configuration));
    this.program = node.start([process.execPath, MAIN, file]);
  }

  /** Waits until an instance has entered this state. */
  becomes(state: string, instance = "V"): Promise<unknown> {
    return this.program.sees(new RegExp(`\\(${instance}\\) Entering ${state} STATE`));
  }

  async reload(configuration: VrrpConfiguration): Promise<void> {
    writeFileSync(this.#file, JSON.stringify(configuration));
    const before = this.program.output.length;
    this.program.kill("SIGHUP");
    await until("the reload", () => this.program.output.indexOf("reloaded", before) >= 0);
  }

  async stop(): Promise<void> {
    await this.program.stop("SIGTERM");
  }
}

/** Two routers and a client on one LAN: 10.9.0.1, .2 and .9, `eth0` each, with link-local addresses that can be used at once. */
export class AgentLan implements AsyncDisposable {
  readonly network: TestNetwork;
  readonly folder = mkdtempSync(join(tmpdir(), "agents-"));
  /** Where `br0` is: ports `p0`, `p1` and `p2` lead to the others. */
  readonly bridge: TestNode;
  readonly a: TestNode;
  readonly b: TestNode;
  readonly client: TestNode;
  #count = 0;

  static async start(): Promise<AgentLan> {
    const network = new TestNetwork();
    const nodes = [await network.node("a"), await network.node("b"), await network.node("client")] as const;
    for (const node of nodes) await node.run(peerPath("sysctl"), "-qw", "net.ipv6.conf.default.accept_dad=0");
    const bridge = await network.segment("lan", [
      { node: nodes[0], interface: "eth0", addresses: ["10.9.0.1/24"] },
      { node: nodes[1], interface: "eth0", addresses: ["10.9.0.2/24"] },
      { node: nodes[2], interface: "eth0", addresses: ["10.9.0.9/24", "2001:db8::9/64"] },
    ]);
    return new AgentLan(network, bridge, ...nodes);
  }

  private constructor(network: TestNetwork, bridge: TestNode, a: TestNode, b: TestNode, client: TestNode) {
    this.network = network;
    this.bridge = bridge;
    this.a = a;
    this.b = b;
    this.client = client;
  }

  async agent(node: TestNode, configuration: VrrpConfiguration): Promise<VrrpAgent> {
    const agent = new VrrpAgent(node, join(this.folder, `${this.#count++}.json`), configuration);
    await agent.program.sees(/^started$/m);
    return agent;
  }

  keepalived(node: TestNode, configuration: string): TestProgram {
    const name = join(this.folder, `${this.#count++}`);
    writeFileSync(`${name}.conf`, configuration);
    const files = ["-f", `${name}.conf`, "-p", `${name}.pid`, "-r", `${name}.vrrp.pid`];
    return node.start([peerPath("keepalived"), "-n", "-l", "-D", "-P", ...files]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface ShownAddress {
  readonly local: string;
  readonly prefixlen: number;
  readonly preferred_life_time: number;
  readonly valid_life_time: number;
  readonly protocol?: string;
}

/** What `ip -json addr` says. */
export async function addressesOf(node: TestNode, name = "eth0"): Promise<ShownAddress[]> {
  const [link] = await node.ipJson("addr", "show", "dev", name);
  return link.addr_info;
}

export const has = async (node: TestNode, address: string, name = "eth0"): Promise<boolean> =>
  (await addressesOf(node, name)).some(({ local }) => local === address);
