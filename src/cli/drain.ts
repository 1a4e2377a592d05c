/** `evenkeel drain` and `evenkeel undrain`: take a real server of a virtual server out of use, and put it back. */

import { setTimeout as pause } from "node:timers/promises";
import type { RealServerReport } from "../daemon/director/virtual-server-report.ts";
import type { StatusReport } from "../daemon/supervisor/status.ts";
import { ask, ControlUnavailable, NotRunning, socketPath, withControl } from "./control-client.ts";

export interface DrainOptions {
  readonly deadline?: string;
  readonly wait?: boolean;
  readonly socket?: string;
}

/** Between two looks at the connections that are left, milliseconds. */
const LOOK_AGAIN_MS = 500;

export function drain(virtualServer: string, realServer: string, options: DrainOptions): Promise<void> {
  return withDaemon("-w 0 --drain", async () => {
    const withinSeconds = options.deadline === undefined ? {} : { withinSeconds: secondsOf(options.deadline) };
    const path = socketPath(options.socket);
    const found = (await ask(path, { command: "drain", virtualServer, realServer, ...withinSeconds })) as DrainedServer;
    if (options.wait) await untilEmpty(path, found);
    else process.stdout.write(`draining ${found.realServer} of ${found.virtualServer}\n`);
  });
}

export function undrain(virtualServer: string, realServer: string, options: DrainOptions): Promise<void> {
  return withDaemon("-w WEIGHT", async () => {
    const path = socketPath(options.socket);
    const found = (await ask(path, { command: "undrain", virtualServer, realServer })) as DrainedServer;
    process.stdout.write(`${found.realServer} of ${found.virtualServer} takes clients again\n`);
  });
}

/** Services made by hand need no daemon. */
function withDaemon(instead: string, work: () => Promise<void>): Promise<void> {
  return withControl(async () => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof NotRunning)) throw error;
      const command = `evenkeel ipvsadm -e -t ADDRESS:PORT -r SERVER:PORT METHOD ${instead}`;
      throw new ControlUnavailable(`${error.message}; for services made by ipvsadm: ${command}`);
    }
  });
}

interface DrainedServer {
  readonly virtualServer: string;
  readonly realServer: string;
}

/** A line whenever the count changes. */
async function untilEmpty(path: string, found: DrainedServer): Promise<void> {
  for (let before = ""; ; await pause(LOOK_AGAIN_MS)) {
    const server = await serverNow(path, found);
    const { drain: draining, active, inactive } = server;
    if (draining === undefined) throw new ControlUnavailable(`${found.realServer} is no longer drained`);
    const line = draining.done
      ? `${found.realServer}: ${draining.active + draining.inactive === 0 ? "empty" : "what was left has been reset"}\n`
      : `${found.realServer}: ${active} active, ${inactive} inactive connections\n`;
    if (line !== before) process.stdout.write(line);
    if (draining.done) return;
    before = line;
  }
}

async function serverNow(path: string, found: DrainedServer): Promise<RealServerReport> {
  const report = (await ask(path, { command: "status" })) as StatusReport;
  const virtual = report.director?.virtualServers.find(({ name }) => name === found.virtualServer);
  const server = virtual?.servers.find(({ name }) => name === found.realServer);
  if (server === undefined) throw new ControlUnavailable(`${found.realServer} of ${found.virtualServer} is gone`);
  return server;
}

function secondsOf(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new ControlUnavailable(`--deadline ${text}: not a number of seconds`);
  return value;
}
