/** `evenkeel run` with a keepalived.conf alone, in a namespace of its own. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { DaemonEvent } from "../../src/daemon/events.ts";
import type { StatusReport } from "../../src/daemon/supervisor/status.ts";
import { TestNetwork, type TestNode, type TestProgram } from "./namespace.ts";
import { until } from "./until.ts";
import { EVENKEEL } from "./vrrp-pair.ts";

const execute = promisify(execFile);

/** One daemon in a namespace with eth0 (10.9.0.1/24) on a cable that can be pulled at the other end. */
export class VrrpDaemon implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "daemon-"));
  readonly file = join(this.folder, "keepalived.conf");
  readonly socket = join(this.folder, "control.sock");
  readonly node: TestNode;
  readonly far: TestNode;
  readonly program: TestProgram;
  readonly #network: TestNetwork;

  /** @param more options of `evenkeel run` */
  static async start(configuration: string, more: readonly string[] = []): Promise<VrrpDaemon> {
    const network = new TestNetwork();
    const [node, far] = [await network.node("a"), await network.node("far")];
    await network.link(
      { node, interface: "eth0", addresses: ["10.9.0.1/24"] },
      { node: far, interface: "eth0", addresses: ["10.9.0.2/24"] },
    );
    const daemon = new VrrpDaemon(network, node, far, configuration, more);
    await daemon.program.sees(/Startup complete/);
    return daemon;
  }

  private constructor(
    network: TestNetwork,
    node: TestNode,
    far: TestNode,
    configuration: string,
    more: readonly string[],
  ) {
    this.#network = network;
    this.node = node;
    this.far = far;
    this.write(configuration);
    this.program = node.start([EVENKEEL, "run", "-f", this.file, "--socket", this.socket, ...more]);
  }

  write(configuration: string): void {
    writeFileSync(this.file, configuration);
  }

  async command(...argv: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    try {
      const { stdout, stderr } = await execute(EVENKEEL, [...argv, "--socket", this.socket]);
      return { status: 0, stdout, stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { status: code, stdout, stderr };
    }
  }

  async status(): Promise<StatusReport> {
    return JSON.parse((await this.command("status", "--json")).stdout);
  }

  async events(): Promise<DaemonEvent[]> {
    const { stdout } = await this.command("events", "--no-follow");
    return stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  }

  /** Another cable, up, to the other node. */
  async plug(name: string, ...addresses: string[]): Promise<void> {
    await this.#network.link({ node: this.node, interface: name, addresses }, { node: this.far, interface: name });
  }

  /** Waits for the state of the first instance. */
  becomes(state: string): Promise<unknown> {
    return until(state, async () => (await this.status()).vrrp?.instances[0]?.state === state);
  }

  async addresses(): Promise<string[]> {
    const [link] = await this.node.ipJson("-4", "addr", "show", "dev", "eth0");
    return (link.addr_info as { local: string }[]).map((one) => one.local);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#network[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const instance = (lines: string) => `vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 150
    version 3
    advert_int 0.1
${lines}
}
`;
export const withAddresses = (...addresses: string[]) =>
  instance(`    virtual_ipaddress {\n${addresses.map((one) => `        ${one}\n`).join("")}    }`);
