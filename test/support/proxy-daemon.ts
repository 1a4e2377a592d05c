/** `evenkeel run` with a haproxy.cfg in the test's own network, as a person runs it: by command line, signals and files. */

import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import type { DaemonEvent } from "../../src/daemon/events.ts";
import type { ReloadOutcome, StatusReport } from "../../src/daemon/supervisor/status.ts";
import { TestProgram } from "./namespace.ts";
import { until } from "./until.ts";
import { EVENKEEL, signalTree, tree } from "./vrrp-pair.ts";

const execute = promisify(execFile);

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command to its end, whatever its exit status. */
export async function evenkeel(...argv: string[]): Promise<Ended> {
  try {
    return { status: 0, ...(await execute(EVENKEEL, argv)) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

export interface DaemonOptions {
  /** Put before the command, as in `["setpriv", "--no-new-privs"]`. */
  readonly wrapper?: readonly string[];
  readonly args?: readonly string[];
  readonly socket?: string;
}

export class ProxyDaemon {
  readonly folder = mkdtempSync(join(tmpdir(), "daemon-"));
  readonly file = join(this.folder, "haproxy.cfg");
  readonly socket: string;
  readonly program: TestProgram;

  /** Resolves once it has started completely. */
  static async start(context: TestContext, configuration: string, options: DaemonOptions = {}): Promise<ProxyDaemon> {
    const daemon = new ProxyDaemon(context, configuration, options);
    await daemon.program.sees(/Startup complete/);
    return daemon;
  }

  /** Does not wait. It leads a process group of its own, as a service does. */
  constructor(context: TestContext, configuration: string, { wrapper = [], args = [], socket }: DaemonOptions = {}) {
    this.socket = socket ?? join(this.folder, "control.sock");
    this.write(configuration);
    const argv = [...wrapper, EVENKEEL, "run", "-f", this.file, "--socket", this.socket, ...args];
    const child = spawn(argv[0] ?? "", argv.slice(1), { stdio: ["ignore", "pipe", "pipe"], detached: true });
    this.program = new TestProgram(child, argv.join(" "));
    context.after(async () => {
      if (existsSync(`/proc/${this.program.pid}`)) signalTree(this.program.pid, "SIGKILL");
      await this.program.exited;
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  write(configuration: string): void {
    writeFileSync(this.file, configuration);
  }

  command(...argv: string[]): Promise<Ended> {
    return evenkeel(...argv, "--socket", this.socket);
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

  async reload(configuration?: string): Promise<ReloadOutcome> {
    if (configuration !== undefined) this.write(configuration);
    return JSON.parse((await this.command("reload", "--json")).stdout);
  }

  /** Process ids of the proxies that accept. */
  async proxies(): Promise<number[]> {
    const { processes } = await this.status();
    return processes.filter((one) => one.name.startsWith("proxy") && !one.retiring).map((one) => one.pid ?? 0);
  }

  async pidOf(name: string): Promise<number> {
    const found = (await this.status()).processes.find((one) => one.name === name && !one.retiring);
    return found?.pid ?? 0;
  }

  /** All processes, the supervisor first. */
  pids(): number[] {
    return tree(this.program.pid);
  }

  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.program.pid, signal);
  }
}

/** A zombie that nobody has waited for yet counts as gone. */
export function isGone(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

export const gone = (pids: readonly number[]): Promise<true> =>
  until(`processes ${pids} are gone`, () => pids.every(isGone)) as Promise<true>;
