/** `evenkeel run`: the daemon in the foreground. Exit 0 after a clean stop, 1 when it cannot start, 2 on a bad configuration. */

import { rmSync, writeFileSync } from "node:fs";
import { standardErrorLog } from "../daemon/log/log.ts";
import { ConfigurationRefused, Supervisor } from "../daemon/supervisor/supervisor.ts";
import { VERSION } from "../daemon/version.ts";
import { socketPath } from "./control-client.ts";

export interface RunOptions {
  readonly file: readonly string[];
  readonly configId?: string;
  readonly socket?: string;
  readonly pidFile?: string;
}

export async function run(options: RunOptions): Promise<void> {
  const log = standardErrorLog(process.env, process.stderr.isTTY === true);
  log.write("info", `Starting evenkeel ${VERSION} (Node ${process.version}), pid=${process.pid}`);
  const pidFile = options.pidFile;
  let supervisor: Supervisor | undefined;
  let stopCause: string | undefined;
  const stop = async (cause: string) => {
    stopCause = cause;
    if (supervisor === undefined) return;
    await supervisor.stop(cause);
    if (pidFile !== undefined) rmSync(pidFile, { force: true });
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop("SIGTERM"));
  process.on("SIGINT", () => void stop("SIGINT"));
  process.on("SIGHUP", () => void supervisor?.reload("SIGHUP"));
  try {
    supervisor = await Supervisor.start({
      files: options.file,
      configId: options.configId,
      socketPath: socketPath(options.socket),
      log,
    });
  } catch (error) {
    const lines =
      error instanceof ConfigurationRefused ? error.lines : [error instanceof Error ? error.message : String(error)];
    for (const line of lines) log.write("err", line);
    log.write(
      "err",
      error instanceof ConfigurationRefused ? "Not started: evenkeel check shows the places" : "Not started",
    );
    process.exit(error instanceof ConfigurationRefused ? 2 : 1);
  }
  if (pidFile !== undefined) writeFileSync(pidFile, `${process.pid}\n`);
  log.write("info", "Startup complete");
  if (stopCause !== undefined) await stop(stopCause);
}
