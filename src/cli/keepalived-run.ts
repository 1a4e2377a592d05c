/**
 * The daemon as keepalived runs it: pid files, log lines, going into the background, signals, exit statuses 0 (stopped, or
 * running already), 1 (cannot run), 2 (configuration), 6 (no configuration file).
 *
 * Going into the background is starting again detached; the first process returns when the daemon runs, or with its status
 * when it could not.
 */

import { spawn } from "node:child_process";
import { release, version } from "node:os";
import { loadFromDisk } from "../daemon/configuration-files.ts";
import { type LogPlan, logEnvironment, plannedLog } from "../daemon/log/daemon-log.ts";
import { type Log, standardErrorLog } from "../daemon/log/log.ts";
import { reloadTold, tellServiceManager } from "../daemon/notify-socket.ts";
import { Dumps } from "../daemon/supervisor/dumps.ts";
import { ConfigurationRefused } from "../daemon/supervisor/running-configuration.ts";
import { Supervisor } from "../daemon/supervisor/supervisor.ts";
import { enterNamespace } from "../sys/namespaces.ts";
import { PidFile } from "../sys/pid-file.ts";
import { socketPath } from "./control-client.ts";
import { keepalivedLine } from "./keepalived-config-test.ts";
import { KEEPALIVED_NAME } from "./keepalived-help.ts";
import { facilityOf, type KeepalivedOptions } from "./keepalived-options.ts";
import { pidPaths } from "./keepalived-pid-paths.ts";

const EXIT = { ok: 0, fatal: 1, configuration: 2, noFile: 6 } as const;
/** keepalived's own. */
const USUAL_UMASK = 0o177;
/** Tells the process that was started again from the one that starts it. */
const DETACHED = "EVENKEEL_DETACHED";
const DEFAULT_LOG_FILE = "/tmp/keepalived.log";

export async function runKeepalived(
  options: KeepalivedOptions,
  files: readonly string[],
  commandLine: readonly string[],
): Promise<void> {
  const { given } = options;
  if (!given.has("dont-fork") && process.env[DETACHED] === undefined) return intoBackground(given.has("log-console"));
  // A script of ours that calls keepalived means a new one.
  delete process.env[DETACHED];
  // `killall keepalived`, `pidof keepalived` and the like find the parent by it.
  const daemon = loadFromDisk(files, { configId: given.get("config-id") }).configuration.daemon;
  process.title = daemon?.processNames.parent ?? "keepalived";
  const umask = umaskOf(given) ?? daemon?.umask;
  // keepalived's 0177 would take the folders that we make from everybody; the files themselves have modes of their own.
  if (umask !== undefined && umask !== USUAL_UMASK) process.umask(umask);
  const namespace = given.get("namespace");
  const suffix = [namespace, daemon?.instance].flatMap((name) => (name === undefined ? [] : [`_${name}`])).join("");
  const facility = facilityOf(given.get("log-facility") ?? "daemon");
  const plan: LogPlan = {
    console: given.has("log-console"),
    facility: given.has("no-syslog") ? undefined : (facility ?? 3),
    file: given.has("log-file") ? given.get("log-file") || DEFAULT_LOG_FILE : undefined,
    suffix,
  };
  Object.assign(process.env, logEnvironment(plan), given.has("log-detail") ? { EVENKEEL_LOG_DETAIL: "1" } : {});
  const log = plannedLog(plan, "parent", standardErrorLog(process.env, process.stderr.isTTY === true));
  log.write("info", `Starting ${KEEPALIVED_NAME}`);
  log.write("info", `Running on Linux ${release()} ${version()}`);
  log.write("info", `Command line: ${commandLine.map((word) => `'${word}'`).join(" ")}`);
  const end = (status: number): never => {
    if (status !== EXIT.ok) log.write("info", `Stopped ${KEEPALIVED_NAME}`);
    process.exit(status);
  };
  if (files.length === 0) {
    log.write("err", `Config files missing '${given.get("use-file") ?? "/etc/keepalived/keepalived.conf"}'.`);
    return end(EXIT.noFile);
  }
  for (const file of files) log.write("info", `Configuration file ${file}`);
  if (namespace !== undefined) {
    try {
      enterNamespace(`/run/netns/${namespace}`, "net");
    } catch (error) {
      log.write("err", `Failed to set network namespace ${namespace}: ${message(error)}`);
      return end(EXIT.fatal);
    }
  }
  const paths = pidPaths(given, { usePidDir: daemon?.usePidDir === true, instance: daemon?.instance, namespace });
  const pids = new Map<string, PidFile>();
  try {
    const own = PidFile.take(paths.parent);
    if (own === undefined) {
      log.write("info", "daemon is already running");
      return process.exit(EXIT.ok);
    }
    pids.set("parent", own);
    own.write(process.pid);
  } catch (error) {
    log.write("err", `cannot write the pid file: ${message(error)}`);
    return end(EXIT.fatal);
  }
  const removePidFiles = () => {
    for (const file of pids.values()) file.remove();
  };
  await supervise({ options, files, log, paths, pids, removePidFiles, namespace, end });
}

function umaskOf(given: ReadonlyMap<string, string>): number | undefined {
  const umask = Number.parseInt(given.get("umask") ?? "", 8);
  return Number.isInteger(umask) ? umask & 0o777 : undefined;
}

interface Run {
  readonly options: KeepalivedOptions;
  readonly files: readonly string[];
  readonly log: Log;
  readonly paths: ReturnType<typeof pidPaths>;
  readonly pids: Map<string, PidFile>;
  readonly removePidFiles: () => void;
  readonly namespace: string | undefined;
  readonly end: (status: number) => never;
}

async function supervise(run: Run): Promise<void> {
  const { options, files, log, removePidFiles, end } = run;
  const { given } = options;
  let stopping = false;
  let started = false;
  let reloadCause: string | undefined;
  const only = given.has("vrrp") ? "vrrp" : given.has("check") ? "checkers" : undefined;
  const supervisor = new Supervisor({
    files,
    configId: given.get("config-id"),
    socketPath: socketPath(undefined),
    flush: false,
    log,
    manner: {
      only: given.has("vrrp") && given.has("check") ? undefined : only,
      keepAddresses: given.has("dont-release-vrrp"),
      keepServices: given.has("dont-release-ipvs"),
      lineOf: keepalivedLine,
      onChild(name, pid, died) {
        keepPidFile(run, name, pid);
        if (died === true && given.has("dont-respawn") && started && !stopping) {
          log.write("alert", `${name} child process died: not started again (--dont-respawn)`);
          void stop("a child died", EXIT.fatal);
        }
      },
    },
  });
  const stop = async (cause: string, status: number = EXIT.ok) => {
    stopping = true;
    tellServiceManager("STOPPING=1");
    await supervisor.stop(cause);
    removePidFiles();
    log.write("info", `Stopped ${KEEPALIVED_NAME}`);
    process.exit(status);
  };
  const reload = (cause: string) => {
    if (started) void reloadTold(supervisor, cause);
    else reloadCause = cause;
  };
  process.on("SIGTERM", () => void stop("SIGTERM"));
  process.on("SIGINT", () => (given.has("ignore-sigint") ? undefined : void stop("SIGINT")));
  process.on("SIGHUP", () => reload("SIGHUP"));
  const dumps = new Dumps({ source: supervisor, log, networkNamespace: run.namespace, umask: umaskOf(given) });
  dumps.listen();
  try {
    await supervisor.start();
  } catch (error) {
    const refused = error instanceof ConfigurationRefused;
    for (const line of refused ? error.lines : [message(error)]) log.write("err", line);
    removePidFiles();
    return end(refused ? EXIT.configuration : EXIT.fatal);
  }
  if (stopping) return;
  started = true;
  if ((await supervisor.status()).processes.length === 0)
    log.write("warning", "Warning - keepalived has no configuration to run");
  log.write("info", "Startup complete");
  tellServiceManager("READY=1", `MAINPID=${process.pid}`);
  if (process.connected) process.send?.("running", () => process.disconnect?.());
  if (given.has("dump-conf")) for (const line of (await dumps.text()).trimEnd().split("\n")) log.write("info", line);
  if (reloadCause !== undefined) reload(reloadCause);
}

/** The file of a child that is gone goes too. */
function keepPidFile({ paths, pids, log }: Run, name: string, pid: number | undefined): void {
  const path = name === "vrrp" ? paths.vrrp : name === "director" ? paths.checkers : undefined;
  if (path === undefined) return;
  try {
    if (pid === undefined) {
      pids.get(name)?.remove();
      pids.delete(name);
      return;
    }
    const file = pids.get(name) ?? PidFile.take(path);
    if (file === undefined) log.write("warning", `${path} is locked by another process`);
    else {
      pids.set(name, file);
      file.write(pid);
    }
  } catch (error) {
    log.write("warning", `cannot write the pid file: ${message(error)}`);
  }
}

function intoBackground(toConsole: boolean): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ["ignore", "ignore", toConsole ? "inherit" : "ignore", "ipc"],
    env: { ...process.env, [DETACHED]: "1" },
  });
  return new Promise((resolve) => {
    const leave = (status: number) => {
      process.exitCode = status;
      child.removeAllListeners();
      if (child.connected) child.disconnect();
      child.unref();
      resolve();
    };
    child.once("message", () => leave(EXIT.ok));
    child.once("error", () => leave(EXIT.fatal));
    child.once("exit", (status) => leave(status ?? EXIT.fatal));
  });
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
