/**
 * What is known of a server's health: written by the director, read by the proxies and by the statistics page.
 * Plain JSON, sent between processes. Words and status codes are HAProxy's (management.txt, "check_status").
 */

export type CheckCode =
  | "UNK"
  | "INI"
  | "SOCKERR"
  | "L4OK"
  | "L4TOUT"
  | "L4CON"
  | "L6OK"
  | "L6TOUT"
  | "L6RSP"
  | "L7TOUT"
  | "L7RSP"
  | "L7OK"
  | "L7OKC"
  | "L7STS";

export interface ServerStatus {
  /** False: gets no load-balanced request. */
  readonly up: boolean;
  /** The column `status`: `UP`, `UP 1/3`, `DOWN`, `DOWN 1/2`, `MAINT`, `no check`. */
  readonly text: string;
  /** Undefined for a server without checks. */
  readonly check: CheckReport | undefined;
  /** Milliseconds since the epoch of the last change between up and down. */
  readonly lastChangeMs: number;
  /** `chkfail`: failed checks while up. */
  readonly checkFailures: number;
  /** `chkdown`: transitions from up to down. */
  readonly downTransitions: number;
  /** Spent down before the present state, milliseconds; the present outage is not in it. */
  readonly downtimeMs: number;
}

export interface CheckReport {
  readonly code: CheckCode;
  /** HTTP status, when one was seen. */
  readonly status: number | undefined;
  readonly durationMs: number | undefined;
  /** `check_desc`: `Layer7 check passed`. */
  readonly description: string;
  /** `last_chk`: what the server said, or the error. */
  readonly detail: string;
  /** A check is under way: the code is shown with `* ` before it. */
  readonly running: boolean;
  readonly rise: number;
  readonly fall: number;
  /** 0..rise+fall−1. */
  readonly health: number;
}
