/**
 * The child's end of the channel to the supervisor.
 *
 * When the channel closes without a `stop`, the supervisor has died: the child then does what it does on a clean stop,
 * and removes the files (`tidy`) that the supervisor can no longer remove itself.
 */

import { rmSync, statSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { constants } from "node:os";
import { DUMP_SIGNALS, onRealTimeSignals } from "../sys/real-time-signals.ts";
import { reportCommands } from "../sys/run-command.ts";
import { type EventBody, eventNow } from "./events.ts";
import type { Log } from "./log/log.ts";
import type { FromChild, StartMessage, StopOrder, ToChild } from "./messages.ts";

export interface ChildRole {
  start(message: StartMessage): Promise<void>;
  message(message: Exclude<ToChild, StartMessage>): void;
  /** Resolves when nothing is left to do; the process then exits. May be called again with more of a hurry. */
  stop(order: StopOrder): Promise<void>;
  /** Answers `query`. */
  snapshot(): unknown;
  /** keepalived's children answer to the signals of dumps themselves: they are handed to the supervisor. */
  readonly passesSignals?: true;
}

/** What an orphan may still do: finish within this time, milliseconds. */
const ORPHANED: StopOrder = { hardAfterMs: 5_000, replaced: false, orphaned: true };
/** Longest wait for the supervisor to take the last message, milliseconds. */
const FAREWELL_MS = 1_000;

export function tellSupervisor(message: FromChild): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

export const tellEvent = (body: EventBody): void => tellSupervisor({ type: "event", event: eventNow(body) });

/** Runs `role` in this process until the supervisor stops it or dies. A start that throws is logged and ends the process. */
export function serveSupervisor(role: ChildRole, log: Log): void {
  // --title is for ps alone; what pidof reads is set by this.
  const title = process.execArgv.find((word) => word.startsWith("--title="))?.slice("--title=".length);
  if (title !== undefined) process.title = title;
  let tidy: readonly TidyFile[] = [];
  const dies = (error: unknown) => {
    log.write("alert", error instanceof Error ? error.message : String(error));
    process.exit(1);
  };
  const stop = (order: StopOrder) => void role.stop(order).then(() => leave(role.snapshot()), dies);
  process.on("message", (message: ToChild) => {
    switch (message.type) {
      case "start":
        tidy = message.tidy.flatMap(rememberFile);
        role.start(message).then(() => tellSupervisor({ type: "ready" }), dies);
        break;
      case "stop":
        stop(message);
        break;
      case "query":
        tellSupervisor({ type: "answer", id: message.id, value: role.snapshot() });
        break;
      default:
        role.message(message);
    }
  });
  process.on("disconnect", () => {
    stop(ORPHANED);
    for (const file of tidy) removeFile(file);
  });
  // A terminal, or systemd, signals the whole group; the supervisor decides what its children do about it, and when.
  const pass = (signal: number) => (role.passesSignals ? tellSupervisor({ type: "signalled", signal }) : undefined);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
  for (const signal of ["SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => pass(constants.signals[signal]));
  if (role.passesSignals) onRealTimeSignals(DUMP_SIGNALS, pass);
  reportCommands((group, runs) => tellSupervisor({ type: "script-group", group, runs }));
  tellSupervisor({ type: "hello" });
  // Now, because a proxy soon is a user that may not write there, and a child that is killed never would.
  flushCompileCache();
}

function leave(snapshot: unknown): void {
  if (!process.connected) process.exit();
  setTimeout(() => process.exit(), FAREWELL_MS);
  const farewell: FromChild = { type: "farewell", value: snapshot };
  process.send?.(farewell, undefined, undefined, () => process.exit());
}

/** A file of the supervisor's, with its number: a supervisor that was started since may have put another one there. */
interface TidyFile {
  readonly path: string;
  readonly inode: number;
}

function rememberFile(path: string): TidyFile[] {
  const status = statSync(path, { throwIfNoEntry: false });
  return status === undefined ? [] : [{ path, inode: status.ino }];
}

/** A proxy may not any more; then one of its siblings does. */
function removeFile({ path, inode }: TidyFile): void {
  try {
    if (statSync(path).ino === inode) rmSync(path);
  } catch {}
}
