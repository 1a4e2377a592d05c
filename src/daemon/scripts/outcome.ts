/** How a script ended, for logs, events and `evenkeel status`. */

import type { ScriptOutcome } from "../../vrrp/messages.ts";

export function inWords(outcome: ScriptOutcome): string {
  switch (outcome.type) {
    case "exited":
      return `exited with status ${outcome.status}`;
    case "signal":
      return `ended by signal ${outcome.signal}`;
    case "timeout":
      return "took too long and was ended";
    case "error":
      return outcome.message;
    default:
      return outcome satisfies never;
  }
}
