/** One probe under way: it ends once, with the first result, a deadline or an abort, and then lets go of everything. */

import { type Duration, inMilliseconds } from "../../../base/time.ts";
import type { CheckConnection } from "../../../config/model/virtual-server.ts";
import type { ProbeResult } from "../../../health/checker.ts";

/** Gives the probe up; nothing is reported any more. */
export type Abort = () => void;
export type Report = (result: ProbeResult) => void;

export class Attempt {
  readonly #report: Report;
  readonly #cleanups: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(report: Report) {
    this.#report = report;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Called when the probe is over, however it ended. */
  afterwards(cleanup: () => void): void {
    this.#cleanups.push(cleanup);
  }

  /** Replaces the deadline before it. */
  deadline(span: Duration, passed: () => void): void {
    clearTimeout(this.#timer);
    if (!this.#over) this.#timer = setTimeout(passed, inMilliseconds(span));
  }

  pass(detail: string, weight?: number): void {
    this.#end({ ok: true, detail, weight });
  }

  /** `line`: keepalived's words for it, where it has some. */
  fail(detail: string, line?: string, weight?: number): void {
    this.#end({ ok: false, detail, line, weight });
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    for (const cleanup of this.#cleanups) cleanup();
  }

  #end(result: ProbeResult): void {
    if (this.#over) return;
    this.abort();
    this.#report(result);
  }
}

/**
 * Runs `work` with an attempt. What it throws, a socket that cannot be opened as configured, fails the probe: later, so that
 * nobody hears of a result before the probe was begun.
 */
export function begin(report: Report, work: (attempt: Attempt) => void): Abort {
  const attempt = new Attempt(report);
  try {
    work(attempt);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    setImmediate(() => attempt.fail(detail));
  }
  return () => attempt.abort();
}

/** `[10.0.0.2]:tcp:80`, as keepalived's lines about a checker have it. */
export const target = ({ address, port }: CheckConnection, protocol = "tcp"): string =>
  `[${address}]:${protocol}:${port}`;

/** `connection refused`; the code where there are no better words. */
export function wordsOf(error: NodeJS.ErrnoException): string {
  return WORDS[error.code ?? ""] ?? error.code ?? error.message;
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by the server",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "the network is unreachable",
  ETIMEDOUT: "connection timed out",
  EADDRNOTAVAIL: "the source address is not on this host",
  EACCES: "permission denied",
  EPIPE: "the server closed",
};
