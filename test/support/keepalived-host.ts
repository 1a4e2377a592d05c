/** bin/keepalived, or Debian's keepalived 2.2.7, in a namespace of its own with a folder for its files. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TestNetwork, type TestNode, type TestProgram } from "./namespace.ts";
import { until } from "./until.ts";

export const KEEPALIVED = fileURLToPath(new URL("../../bin/keepalived", import.meta.url));

export const CONFIGURATION = `global_defs {
  router_id R
}
vrrp_instance VI_1 {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority 100
  authentication {
    auth_type PASS
    auth_pass 12345678
  }
  virtual_ipaddress {
    10.9.0.100/24
    10.9.0.101
  }
  preempt_delay 7
  notify_master "/bin/true m"
}
`;

/** How the files end: the parent's, `.data`, `.stats`, `.json`. */
const WHOLE = /(umask = 0177\n|, weight 0\n|Sent: \d+\n|\}\]\n?)$/;

/** A host with eth0 (10.9.0.1/24), a folder for its files, which is the programs' TMPDIR too. */
export class Host implements AsyncDisposable {
  readonly folder = mkdtempSync("/run/keepalived-test-");
  readonly file = join(this.folder, "keepalived.conf");
  readonly node: TestNode;
  /** The other end of its eth0. */
  readonly far: TestNode;
  readonly #network: TestNetwork;

  static async start(configuration = CONFIGURATION): Promise<Host> {
    const network = new TestNetwork();
    const [node, far] = [await network.node("a"), await network.node("far")];
    await network.link({ node, interface: "eth0", addresses: ["10.9.0.1/24"] }, { node: far, interface: "eth0" });
    return new Host(network, node, far, configuration);
  }

  private constructor(network: TestNetwork, node: TestNode, far: TestNode, configuration: string) {
    this.#network = network;
    this.node = node;
    this.far = far;
    writeFileSync(this.file, configuration);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  run(program: string, words: readonly string[], env: Record<string, string> = {}): TestProgram {
    return this.#start(this.node, program, words, env);
  }

  /** Elsewhere: on the other host. */
  runFar(program: string, words: readonly string[]): TestProgram {
    return this.#start(this.far, program, words, {});
  }

  #start(on: TestNode, program: string, words: readonly string[], env: Record<string, string>): TestProgram {
    const files = ["-f", this.file, "-p", this.path("p.pid"), "-r", this.path("v.pid"), "-c", this.path("c.pid")];
    return on.start([program, ...files, ...words], {
      env: { EVENKEEL_SOCKET: this.path("control.sock"), TMPDIR: this.folder, ...env },
    });
  }

  get pid(): number {
    return Number(readFileSync(this.path("p.pid"), "utf8"));
  }

  get vrrpPid(): number {
    return Number(readFileSync(this.path("v.pid"), "utf8"));
  }

  /** The second link, eth1. */
  async addLink(addresses: readonly string[]): Promise<void> {
    const { node, far } = this;
    await this.#network.link({ node, interface: "eth1", addresses }, { node: far, interface: "eth1" });
  }

  /** What the daemon wrote, once it is there and newer than `after`. */
  async dumped(name: string, after = 0): Promise<string> {
    const path = this.path(name);
    const what = `${name} written by process ${this.pid}`;
    // keepalived writes in place: its file is there before it is whole.
    const whole = () => WHOLE.test(readFileSync(path, "utf8"));
    await until(what, () => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > after && whole());
    assert.equal(statSync(path).mode & 0o777, 0o600);
    return readFileSync(path, "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#network[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true });
  }
}

/** To the parent, or to `pid`. */
export function signal(host: Host, number: number | NodeJS.Signals, pid = host.pid): void {
  assert.equal(spawnSync("kill", [`-${String(number).replace("SIG", "")}`, String(pid)]).status, 0);
}
