/** Puts the vrrp process before others on a busy machine: what it does takes microseconds and must not be late. */

import { setPriority } from "node:os";
import type { Log } from "../log/log.ts";

/** keepalived's `vrrp_priority` at its commonest; real-time scheduling would let a fault of ours stop the machine. */
const NICE = -20;

/** Best effort: a container may not allow it. */
export function preferThisProcess(log: Log): void {
  try {
    setPriority(NICE);
  } catch (error) {
    log.write("info", `vrrp runs with ordinary priority (${(error as NodeJS.ErrnoException).code})`);
  }
}
