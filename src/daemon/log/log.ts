/**
 * The daemon's own log on standard error: keepalived's `Sat Nov 21 00:21:39 2026: text`, or systemd's `<N>text` when the
 * journal reads it. One write a line, so that the lines of several processes never mix.
 *
 * Traffic logs of proxies do not come here: see `targets.ts`.
 */

import { writeSync } from "node:fs";

/** syslog severities (RFC 5424 §6.2.1). */
export type Level = "emerg" | "alert" | "crit" | "err" | "warning" | "notice" | "info" | "debug";

export const SEVERITY: Readonly<Record<Level, number>> = {
  emerg: 0,
  alert: 1,
  crit: 2,
  err: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
};

const STDERR = 2;

export interface Log {
  write(level: Level, text: string): void;
}

export function standardErrorLog(environment: NodeJS.ProcessEnv, isTerminal: boolean): Log {
  const journal = environment.JOURNAL_STREAM !== undefined;
  const colour = isTerminal && environment.NO_COLOR === undefined;
  return {
    write(level, text) {
      const line = journal
        ? `<${SEVERITY[level]}>${text}`
        : `${asctime(new Date())}: ${colour ? paint(level, text) : text}`;
      try {
        writeSync(STDERR, `${line}\n`);
      } catch {
        // A reader that went away, or a full pipe, must not stop a VRRP router.
      }
    },
  };
}

/** `Sat Nov 21 00:21:39 2026`, as asctime(3) writes it. */
export function asctime(date: Date): string {
  const [weekday, month] = date.toDateString().split(" ");
  const clock = date.toTimeString().slice(0, 8);
  return `${weekday} ${month} ${String(date.getDate()).padStart(2)} ${clock} ${date.getFullYear()}`;
}

function paint(level: Level, text: string): string {
  if (SEVERITY[level] <= SEVERITY.err) return `\x1b[1;31m${text}\x1b[0m`;
  if (level === "warning") return `\x1b[33m${text}\x1b[0m`;
  if (text.includes("Entering MASTER STATE")) return `\x1b[1;32m${text}\x1b[0m`;
  if (text.includes("Entering BACKUP STATE")) return `\x1b[1;36m${text}\x1b[0m`;
  if (text.includes("Entering FAULT STATE")) return `\x1b[1;31m${text}\x1b[0m`;
  return text;
}
