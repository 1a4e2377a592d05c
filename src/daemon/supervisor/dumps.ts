/**
 * The files that keepalived writes when it is signalled: SIGUSR1 `.data` and `_check.data`, SIGUSR2 `.stats`, SIGRTMIN+2 `.json`, SIGRTMAX-1
 * `.stats` and then counts from nothing. They go to /tmp, or where TMPDIR says. docs/guides/keepalived.md.
 *
 * Mode 0600 unless a umask is set, made under another name in the same folder and renamed, so that a reader never sees half a file and a link
 * that somebody laid in /tmp is replaced, not followed.
 */

import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync, realpathSync, renameSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type { Instant } from "../../base/time.ts";
import type { Configuration } from "../../config/model/configuration.ts";
import type { ScriptCommand, VrrpConfiguration, VrrpGlobal } from "../../config/model/vrrp.ts";
import { monotonicNow } from "../../sys/clock.ts";
import { readInterfaces } from "../../sys/interfaces.ts";
import { lookupGroup, lookupUser } from "../../sys/privileges.ts";
import { DUMP_SIGNALS, onRealTimeSignals } from "../../sys/real-time-signals.ts";
import { renderData, renderParentData } from "../../vrrp/dump/data.ts";
import type { Dumped, DumpFacts, DumpInterface } from "../../vrrp/dump/facts.ts";
import { renderGlobal } from "../../vrrp/dump/global.ts";
import { renderJson } from "../../vrrp/dump/json.ts";
import { countedSince, renderStats } from "../../vrrp/dump/stats.ts";
import { allAddresses } from "../../vrrp/garp.ts";
import type { HostSnapshot, InstanceSnapshot } from "../../vrrp/messages.ts";
import type { DirectorReport } from "../director/virtual-server-report.ts";
import { asctime, type Log } from "../log/log.ts";
import { renderCheckerData } from "./checker-dump.ts";

/** What runs now. */
export interface DumpedState {
  readonly configuration: Configuration;
  readonly vrrp: HostSnapshot | undefined;
  readonly director: DirectorReport | undefined;
  readonly pids: { readonly vrrp: number | undefined; readonly checker: number | undefined };
}

export interface DumpSource {
  /** Without VRRP there is nothing to write. */
  state(): Promise<DumpedState>;
}

export interface DumpOptions {
  readonly source: DumpSource;
  readonly log: Log;
  /** keepalived's `-s`. */
  readonly networkNamespace?: string | undefined;
  /** keepalived's `-u`, which comes before `umask` in the file. */
  readonly umask?: number | undefined;
}

/** keepalived's own. */
const USUAL_UMASK = 0o177;

type Kind = "data" | "stats" | "json";

export class Dumps {
  readonly #options: DumpOptions;
  /** Counters as they were when they were last cleared. */
  readonly #cleared = new Map<string, InstanceSnapshot["counters"]>();

  constructor(options: DumpOptions) {
    this.#options = options;
  }

  /** From now on each signal writes its files. */
  listen(): void {
    process.on("SIGUSR1", () => void this.write("data"));
    process.on("SIGUSR2", () => void this.write("stats"));
    const [json] = DUMP_SIGNALS;
    onRealTimeSignals(DUMP_SIGNALS, (signal) =>
      signal === json ? void this.write("json") : void this.write("stats", true),
    );
  }

  /** Never rejects: what cannot be written is in the log. */
  async write(kind: Kind, clear = false): Promise<void> {
    try {
      const { configuration, vrrp, director, pids } = await this.#options.source.state();
      const checks = kind === "data" && (configuration.director?.virtualServers.length ?? 0) > 0;
      if (checks) this.#writeChecks(configuration, director, pids.checker);
      if (configuration.vrrp === undefined) {
        if (!checks) this.#options.log.write("notice", `no VRRP runs: no .${kind} file to write`);
        return;
      }
      this.#announce(kind, pids);
      const dumped = this.#dumped(configuration, vrrp);
      for (const [path, text] of this.#files(kind, configuration, dumped))
        this.#put(path, text, 0o666 & ~this.#umask(configuration));
      if (clear) for (const one of vrrp?.instances ?? []) this.#cleared.set(one.name, one.counters);
    } catch (error) {
      this.#options.log.write("err", `cannot dump: ${error instanceof Error ? error.message : error}`);
    }
  }

  #writeChecks(configuration: Configuration, report: DirectorReport | undefined, pid: number | undefined): void {
    const { director, vrrp } = configuration;
    if (director === undefined) return;
    this.#options.log.write("info", `Printing checker data for process(${pid ?? 0}) on signal`);
    const { routerId, scriptUser } = director.global;
    const text = renderCheckerData({
      configuration: director,
      report,
      head:
        vrrp === undefined
          ? ["------< Global definitions >------", ` Router ID = ${routerId ?? hostname()}`]
          : renderGlobal(this.#dumped(configuration, undefined), true),
      command(command) {
        const { argv, uid, gid } = resolveCommand(command, { scriptUser });
        return { text: argv.map((word) => `'${word}'`).join(" "), owner: `${uid}:${gid}` };
      },
    });
    const { dumps, instance } = configuration.daemon ?? {};
    const place = dumpPath(join(process.env.TMPDIR || "/tmp", "keepalived_check.data"), {
      instance: dumps?.useInstance === true ? instance : undefined,
      networkNamespace: dumps?.useInstance === true ? this.#options.networkNamespace : undefined,
    });
    this.#put(place, text, 0o666 & ~this.#umask(configuration));
  }

  /** As keepalived says it, whose processes each write their own. */
  #announce(kind: Kind, { vrrp }: DumpedState["pids"]): void {
    const say = (what: string, pid: number | undefined) =>
      this.#options.log.write("info", `Printing ${what} for process(${pid ?? 0}) on signal`);
    if (kind === "data") say("parent data", process.pid);
    say({ data: "VRRP data", stats: "VRRP stats", json: "VRRP as json" }[kind], vrrp);
  }

  /** The text of `.data` as it is now. */
  async text(): Promise<string> {
    const { configuration, vrrp } = await this.#options.source.state();
    return configuration.vrrp === undefined ? "" : renderData(this.#dumped(configuration, vrrp));
  }

  #dumped(configuration: Configuration, vrrp: HostSnapshot | undefined): Dumped {
    const nothing: HostSnapshot = {
      instances: [],
      groups: [],
      scripts: [],
      files: [],
      processes: [],
      unknownVrid: 0,
      malformed: 0,
    };
    const snapshot = vrrp ?? nothing;
    if (configuration.vrrp === undefined) throw new Error("no VRRP runs");
    return {
      configuration: configuration.vrrp,
      daemon: configuration.daemon,
      umask: this.#umask(configuration),
      snapshot: { ...snapshot, instances: countedSince(this.#cleared, snapshot.instances) },
      facts: factsOf(configuration.vrrp, this.#options.networkNamespace),
    };
  }

  #files(kind: Kind, { daemon }: Configuration, dumped: Dumped): [path: string, text: string][] {
    const { dumps, instance } = daemon ?? {};
    const named = dumps?.useInstance === true && kind === "data";
    const place = (name: string, extension: string, configured?: string | undefined) =>
      dumpPath(configured ?? join(process.env.TMPDIR || "/tmp", `${name}.${extension}`), {
        instance: named ? instance : undefined,
        networkNamespace: named ? this.#options.networkNamespace : undefined,
      });
    switch (kind) {
      case "data":
        return [
          [place("keepalived_parent", "data"), renderParentData(dumped)],
          [place("keepalived", "data", dumps?.state), renderData(dumped)],
        ];
      case "stats":
        return [[place("keepalived", "stats", dumps?.stats), renderStats(dumped.snapshot.instances)]];
      case "json":
        return [[place("keepalived", "json", dumps?.json), renderJson(dumped, dumps?.jsonVersion ?? 1)]];
      default:
        return kind satisfies never;
    }
  }

  #umask({ daemon }: Configuration): number {
    return this.#options.umask ?? daemon?.umask ?? USUAL_UMASK;
  }

  #put(path: string, text: string, mode: number): void {
    try {
      writeAside(path, text, mode);
    } catch (error) {
      this.#options.log.write("err", `cannot write ${path}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** `data_use_instance`: `/tmp/keepalived.INSTANCE.NAMESPACE.data`; 2.2.7 does so for `.data` alone. */
export function dumpPath(
  path: string,
  names: { readonly instance: string | undefined; readonly networkNamespace: string | undefined },
): string {
  const suffix = [names.instance, names.networkNamespace].flatMap((name) => (name === undefined ? [] : [`.${name}`]));
  return path.replace(/(\.[^./]*)?$/, `${suffix.join("")}$1`);
}

function writeAside(path: string, text: string, mode: number): void {
  const aside = join(dirname(path), `.keepalived.${randomBytes(6).toString("hex")}`);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const fd = openSync(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    closeSync(fd);
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
}

function factsOf({ global, instances }: VrrpConfiguration, networkNamespace: string | undefined): DumpFacts {
  const offset = Date.now() * 1_000 - monotonicNow();
  return {
    routerId: global.routerId ?? hostname(),
    networkNamespace,
    interfaces: interfacesNow(new Set(instances.flatMap(allAddresses).map(({ address }) => address))),
    resolve: (command) => resolveCommand(command, global),
    wall(at: Instant) {
      const microseconds = at + offset;
      const text = asctime(new Date(microseconds / 1_000));
      return { microseconds, day: text.slice(0, -5), year: text.slice(-4) };
    },
  };
}

const ARPHRD_LOOPBACK = 772;

/** @param virtual is not what an interface is known by */
const interfacesNow = (virtual: ReadonlySet<string>): DumpInterface[] =>
  [...readInterfaces().values()].map(({ name, index, addresses, mac, mtu, flags, hardwareType }) => ({
    name,
    index,
    ipv4: addresses.find(({ address }) => !address.includes(":") && !virtual.has(address))?.address,
    // The one that adverts leave from, if there is one.
    ipv6: addresses.find(({ address }) => address.startsWith("fe80:") && !virtual.has(address))?.address,
    mac,
    mtu,
    flags,
    loopback: hardwareType === ARPHRD_LOOPBACK,
  }));

function resolveCommand(command: ScriptCommand, global: Pick<VrrpGlobal, "scriptUser">) {
  const [program = "", ...rest] = command.argv;
  const user = command.user ?? global.scriptUser;
  const account = user === undefined ? undefined : lookupUser(user.user);
  const group = user?.group === undefined ? account?.gid : lookupGroup(user.group);
  let path = program;
  try {
    if (program !== "") path = realpathSync(program);
  } catch {
    // It is shown as it is written.
  }
  return { argv: program === "" ? [] : [path, ...rest], uid: account?.uid ?? 0, gid: group ?? 0 };
}
