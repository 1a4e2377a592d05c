/** `evenkeel run`: the daemon in the foreground. Exit 0 after a clean stop, 1 when it cannot start, 2 on a bad configuration. */

import { rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { standardErrorLog } from "../daemon/log/log.ts";
import { reloadTold, tellServiceManager } from "../daemon/notify-socket.ts";
import { Dumps } from "../daemon/supervisor/dumps.ts";
import { ConfigurationRefused } from "../daemon/supervisor/running-configuration.ts";
import { Supervisor } from "../daemon/supervisor/supervisor.ts";
import { VERSION } from "../daemon/version.ts";
import { socketPath } from "./control-client.ts";

export interface RunOptions {
  readonly file: readonly string[];
  readonly configId?: string;
  readonly socket?: string;
  readonly pidFile?: string;
  readonly flush?: boolean;
  readonly record?: string;
}

export async function run(options: RunOptions): Promise<void> {
  const log = standardErrorLog(process.env, process.stderr.isTTY === true);
  log.write("info", `Starting evenkeel ${VERSION} (Node ${process.version}), pid=${process.pid}`);
  const supervisor = new Supervisor({
    files: options.file,
    configId: options.configId,
    socketPath: socketPath(options.socket),
    flush: options.flush === true,
    record: options.record === undefined ? undefined : resolve(options.record),
    log,
  });
  let started = false;
  let stopping = false;
  let reloadCause: string | undefined;
  const stop = async (cause: string) => {
    stopping = true;
    tellServiceManager("STOPPING=1");
    await supervisor.stop(cause);
    if (options.pidFile !== undefined && started) rmSync(options.pidFile, { force: true });
    process.exit(0);
  };
  const reload = (cause: string) => {
    if (started) void reloadTold(supervisor, cause);
    else reloadCause = cause;
  };
  process.on("SIGTERM", () => void stop("SIGTERM"));
  process.on("SIGINT", () => void stop("SIGINT"));
  process.on("SIGHUP", () => reload("SIGHUP"));
  new Dumps({ source: supervisor, log }).listen();
  try {
    await supervisor.start();
    if (stopping) return;
    if (options.pidFile !== undefined) await writePidFile(options.pidFile, supervisor);
  } catch (error) {
    const refused = error instanceof ConfigurationRefused;
    const lines = refused ? error.lines : [error instanceof Error ? error.message : String(error)];
    for (const line of lines) log.write("err", line);
    log.write("err", refused ? "Not started: evenkeel check shows the places" : "Not started");
    process.exit(refused ? 2 : 1);
  }
  started = true;
  log.write("info", "Startup complete");
  tellServiceManager("READY=1", `MAINPID=${process.pid}`);
  if (reloadCause !== undefined) reload(reloadCause);
}

/** @throws {Error} when it cannot be written, after everything was stopped again */
async function writePidFile(path: string, supervisor: Supervisor): Promise<void> {
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (error) {
    await supervisor.stop("no pid file");
    throw error;
  }
}
