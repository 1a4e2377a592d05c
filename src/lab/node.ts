/** A node of a running lab: run things in it, look at it, break it. Entered from outside, by the namespaces of its init. */

import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { basename, join } from "node:path";
import { Entrance, type NodePlace, startedBy, statusOf } from "./entrance.ts";
import { LabError } from "./error.ts";
import { LabProcess } from "./process.ts";
import { commandLine, innermostPid, processTable, readProcess, sendSignal, treeOf } from "./processes.ts";
import { inNode, type ProcessInfo, programProcesses } from "./programs.ts";
import type { NodeSpec } from "./topology.ts";

/** Output of `exec` beyond this is dropped. */
const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;
const LINGER_MS = 500;

export { LabError, LabProcess, type NodePlace, type ProcessInfo };

export interface ExecOptions {
  readonly input?: string;
  /** Killed with its tree after this; `status` is then 124, as timeout(1) has it. Default 30 000. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ExecResult {
  /** Exit status; 128 + n when signal n ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnOptions {
  /** For `signal` and `ps`. Default: the base name of the program. */
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Descriptors of this process that the program gets as 3, 4 … */
  readonly descriptors?: readonly number[];
}

export interface LinkState {
  readonly interface: string;
  readonly segment: string;
  /** Administratively up in the node. */
  readonly up: boolean;
  /** False when the cable is pulled. */
  readonly carrier: boolean;
  /** `ADDRESS/LENGTH`, in the order in which the kernel lists them. */
  readonly addresses: readonly string[];
}

export class LabNode {
  readonly name: string;
  readonly spec: NodeSpec;
  readonly #place: NodePlace;
  readonly #entrance: Entrance;
  readonly #started = new Map<string, LabProcess>();

  constructor(spec: NodeSpec, place: NodePlace) {
    this.name = spec.name;
    this.spec = spec;
    this.#place = place;
    this.#entrance = new Entrance(spec, place);
  }

  /** Where the node sees the project's folder. */
  get projectFolder(): string {
    return this.#place.paths.project;
  }
  /** Where the node sees the folder of the lab's file; everything is started in it. */
  get labFolder(): string {
    return this.#place.paths.lab;
  }

  /** `node` and `evenkeel` are on the PATH. A program that is not there gives status 127. */
  exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const child = this.#entrance.run(argv, options.env, ["pipe", "pipe", "pipe"]);
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    let bytes = 0;
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream]?.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= MOST_OUTPUT_BYTES) output[stream].push(chunk);
      });
    }
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        for (const entry of treeOf(processTable(), child.pid ?? -1).reverse()) sendSignal(entry.pid, "SIGKILL");
      }, options.timeoutMs ?? 30_000);
      child.on("error", (error) => {
        clearTimeout(timer);
        reject(new LabError(`nsenter cannot be run: ${error.message}`));
      });
      child.on("exit", (code, signal) => {
        clearTimeout(timer);
        // What the command left running may hold the pipes open for ever; its own output is long there by then.
        const holdsOpen = setTimeout(() => {
          child.stdout?.destroy();
          child.stderr?.destroy();
        }, LINGER_MS);
        child.once("close", () => {
          clearTimeout(holdsOpen);
          resolve({
            status: late ? 124 : statusOf(code, signal),
            stdout: Buffer.concat(output.stdout).toString(),
            stderr: Buffer.concat(output.stderr).toString(),
          });
        });
      });
    });
  }

  /** With this process's own terminal. Gives the exit status. */
  execHere(argv: readonly string[]): Promise<number> {
    const child = this.#entrance.run(argv, {}, "inherit");
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code, signal) => resolve(statusOf(code, signal)));
    });
  }

  /** Resolves once the program is running or has already ended. */
  async spawn(argv: readonly string[], options: SpawnOptions = {}): Promise<LabProcess> {
    const name = this.#freeName(options.name ?? basename(argv[0] ?? ""));
    const logFile = join(this.#place.stateFolder, "logs", `${this.name}-${name.replace(/[^\w.-]/g, "_")}.log`);
    const log = openSync(logFile, "a", 0o600);
    let child: ChildProcess;
    try {
      child = this.#entrance.mind(name, argv, options.env, ["ignore", log, log, ...(options.descriptors ?? [])]);
    } finally {
      closeSync(log);
    }
    child.unref();
    const exited = new Promise<number>((resolve) => {
      child.on("error", () => resolve(127));
      child.on("exit", (code, signal) => resolve(statusOf(code, signal)));
    });
    const hostPid = await startedBy(child, name, exited);
    const started = new LabProcess(this, name, argv, hostPid, innermostPid(hostPid), logFile, {
      exited,
      await: () => child.ref(),
    });
    this.#started.set(name, started);
    return started;
  }

  /** A program that was started from the lab's file or by `spawn`, by its name. */
  process(name: string): LabProcess {
    const started = this.#started.get(name);
    if (started !== undefined) return started;
    const [first] = programProcesses(this.#place.init, name).main;
    if (first === undefined) throw new LabError(`nothing called "${name}" runs in node ${this.name}`);
    const logFile = join(this.#place.stateFolder, "logs", `${this.name}-${name.replace(/[^\w.-]/g, "_")}.log`);
    return new LabProcess(this, name, commandLine(first), first.pid, innermostPid(first.pid), logFile, {
      exited: new Promise(() => {}),
      await: () => {},
    });
  }

  processes(): readonly ProcessInfo[] {
    return inNode(this.#place.init);
  }

  async links(): Promise<readonly LinkState[]> {
    const { status, stdout, stderr } = await this.exec(["ip", "-json", "address", "show"]);
    if (status !== 0) throw new LabError(`ip in node ${this.name} ended with status ${status}`, stderr.trim());
    const shown = JSON.parse(stdout) as readonly IpAddressShow[];
    return this.spec.interfaces.flatMap(({ name, segment }) => {
      const found = shown.find((one) => one.ifname === name);
      if (found === undefined) return [];
      const addresses = found.addr_info.filter((one) => one.scope !== "link");
      return {
        interface: name,
        segment,
        up: found.flags.includes("UP"),
        carrier: found.flags.includes("UP") && !found.flags.includes("NO-CARRIER"),
        addresses: addresses.map((one) => `${one.local}/${one.prefixlen}`),
      };
    });
  }

  /** Pulls the cable (the switch's end goes down: the node sees NO-CARRIER) or puts it back. */
  async link(interfaceName: string, state: "up" | "down"): Promise<void> {
    if (!this.spec.interfaces.some((one) => one.name === interfaceName)) {
      const names = this.spec.interfaces.map((one) => one.name).join(", ");
      throw new LabError(`node ${this.name} has no interface "${interfaceName}" (it has ${names})`);
    }
    const child = this.#entrance.runInSwitch(["ip", "link", "set", this.#place.port(interfaceName), state]);
    let complaint = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    const status = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve(statusOf(code, signal)));
    });
    if (status !== 0)
      throw new LabError(`the cable of ${this.name} ${interfaceName} could not be moved`, complaint.trim());
  }

  /**
   * SIGKILL, SIGSTOP and SIGCONT go to the program and all processes that came of it; any other signal to the program
   * alone, as a service manager does it. Gives the number of processes signalled; throws `LabError` when there is none.
   */
  async signal(processName: string, signal: NodeJS.Signals): Promise<number> {
    const whole = signal === "SIGKILL" || signal === "SIGSTOP" || signal === "SIGCONT";
    const signalled = new Set<number>();
    // What was started while the others were being signalled is found in the next round.
    for (let round = 0; round < 10; round++) {
      const { main, all } = programProcesses(this.#place.init, processName);
      const fresh = (whole ? all : main).filter((entry) => !signalled.has(entry.pid));
      if (fresh.length === 0) break;
      for (const entry of fresh) {
        signalled.add(entry.pid);
        sendSignal(entry.pid, signal);
      }
      if (!whole) break;
    }
    if (signalled.size === 0) {
      const names = [...new Set(this.processes().flatMap((one) => one.program ?? []))].join(", ") || "nothing";
      throw new LabError(`nothing called "${processName}" runs in node ${this.name} (running: ${names})`);
    }
    if (signal === "SIGKILL" || signal === "SIGSTOP") await tookEffect([...signalled]);
    return signalled.size;
  }

  #freeName(wanted: string): string {
    const taken = new Set(this.processes().flatMap((one) => one.program ?? []));
    let name = wanted;
    for (let count = 2; taken.has(name); count++) name = `${wanted}-${count}`;
    return name;
  }
}

interface IpAddressShow {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
}

/** Both signals are acted on a little later than they are sent; a process in the middle of a system call may take longer. */
async function tookEffect(pids: readonly number[]): Promise<void> {
  for (let waited = 0; waited < 1_000; waited++) {
    if (pids.every((pid) => /[TZX]/.test(readProcess(pid)?.state ?? "X"))) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
