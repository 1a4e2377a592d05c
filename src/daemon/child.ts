/**
 * The child's end of the channel to the supervisor.
 *
 * When the channel closes without a `stop`, the supervisor has died: the child then does what it does on a clean stop,
 * and removes the files (`tidy`) that the supervisor can no longer remove itself.
 */

import { rmSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { type EventBody, eventNow } from "./events.ts";
import type { Log } from "./log/log.ts";
import type { FromChild, StartMessage, ToChild } from "./messages.ts";

export interface ChildRole {
  start(message: StartMessage): Promise<void>;
  message(message: Exclude<ToChild, StartMessage>): void;
  /** Resolves when nothing is left to do; the process then exits. */
  stop(hardAfterMs: number | undefined): Promise<void>;
  /** Answers `query`. */
  snapshot(): unknown;
}

/** Longest that an orphan waits for connections to finish, milliseconds. */
const ORPHAN_GRACE_MS = 5_000;

export function tellSupervisor(message: FromChild): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

export const tellEvent = (body: EventBody): void => tellSupervisor({ type: "event", event: eventNow(body) });

/** Runs `role` in this process until the supervisor stops it or dies. A start that throws is logged and ends the process. */
export function serveSupervisor(role: ChildRole, log: Log): void {
  let tidy: readonly string[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (hardAfterMs: number | undefined): Promise<void> => {
    stopping ??= role.stop(hardAfterMs).finally(() => process.exit());
    return stopping;
  };
  process.on("message", (message: ToChild) => {
    switch (message.type) {
      case "start":
        tidy = message.tidy;
        role.start(message).then(
          () => tellSupervisor({ type: "ready" }),
          (error: unknown) => {
            log.write("alert", error instanceof Error ? error.message : String(error));
            process.exit(1);
          },
        );
        break;
      case "stop":
        void stop(message.hardAfterMs);
        break;
      case "query":
        tellSupervisor({ type: "answer", id: message.id, value: role.snapshot() });
        break;
      default:
        role.message(message);
    }
  });
  process.on("disconnect", () => {
    if (stopping !== undefined) return;
    void stop(ORPHAN_GRACE_MS);
    for (const path of tidy) rmSync(path, { force: true });
  });
  // A terminal sends SIGINT to the whole group; the supervisor decides what its children do about it.
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
  process.on("SIGTERM", () => void stop(ORPHAN_GRACE_MS));
  tellSupervisor({ type: "hello" });
  // Now, because a proxy soon is a user that may not write there, and a child that is killed never would.
  flushCompileCache();
}
