/** The outcome of one check, and how HAProxy words it (management.txt, check_status). */

import type { CheckCode } from "./status.ts";

export interface CheckResult {
  readonly code: Exclude<CheckCode, "UNK" | "INI">;
  /** HTTP status, when one was read. */
  readonly status: number | undefined;
  readonly durationMs: number;
  /** The reason phrase of a wrong status, or the operating system's error; else empty. Untrusted text. */
  readonly detail: string;
}

export const DESCRIPTIONS: Readonly<Record<CheckCode, string>> = {
  UNK: "Unknown",
  INI: "Initializing",
  SOCKERR: "Socket error",
  L4OK: "Layer4 check passed",
  L4TOUT: "Layer4 timeout",
  L4CON: "Layer4 connection problem",
  L6OK: "Layer6 check passed",
  L6TOUT: "Layer6 timeout",
  L6RSP: "Layer6 invalid response",
  L7TOUT: "Layer7 timeout",
  L7RSP: "Layer7 invalid response",
  L7OK: "Layer7 check passed",
  L7OKC: "Layer7 check conditionally passed",
  L7STS: "Layer7 wrong status",
};

export const passed = (code: CheckCode): boolean =>
  code === "L4OK" || code === "L6OK" || code === "L7OK" || code === "L7OKC";

/** `Layer7 wrong status, code: 503, info: "Service Unavailable"`. */
export function reasonOf(result: CheckResult): string {
  const code = result.status === undefined ? "" : `, code: ${result.status}`;
  const info = result.detail === "" ? "" : `, info: "${printable(result.detail)}"`;
  return `${DESCRIPTIONS[result.code]}${code}${info}`;
}

/** HAProxy keeps 127 bytes of what the server said; what would garble a log line is shown as `<09>`. */
export const printable = (text: string): string =>
  text
    .slice(0, 127)
    .replaceAll(/[^\x20-\x7e]|"/g, (octet) => `<${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}>`);
