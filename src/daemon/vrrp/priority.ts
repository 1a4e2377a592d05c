/**
 * Puts the vrrp process before others on a busy machine: what it does takes microseconds and must not be late.
 *
 * `vrrp_priority`, `vrrp_rt_priority`, `vrrp_rlimit_rttime` (keepalived.conf(5)). Memory is not locked (`vrrp_no_swap`): V8
 * gives pages back in a way that the kernel refuses for locked memory.
 */

import { spawnSync } from "node:child_process";
import { setPriority } from "node:os";
import { seconds } from "../../base/time.ts";
import type { Scheduling } from "../../config/model/vrrp.ts";
import type { Log } from "../log/log.ts";

/** keepalived's `vrrp_priority` at its commonest. */
const NICE = -20;
/**
 * A fault of ours under real-time scheduling would stop a processor: after so long in one go the kernel ends the process.
 * keepalived's 10 ms is less than a reload may take here.
 */
const RUN_IN_ONE_GO = seconds(1);

/**
 * Real-time scheduling that nobody asked for: the lowest there is. On a busy machine the nicest of ordinary processes still
 * waits milliseconds for its turn, and adverts every 10 ms leave no more than 30. It has no limit on running in one go: a
 * flood of packets would end the process, and the kernel leaves the others as much as it does beside nice -20.
 */
const LOWEST_REALTIME = 1;

/** Best effort: a container may not allow it. `vrrp_priority` alone asks for ordinary scheduling. */
export function preferThisProcess({ nice, realtime, realtimeLimit }: Scheduling, log: Log): void {
  try {
    setPriority(nice ?? NICE);
  } catch (error) {
    log.write("info", `vrrp runs with ordinary priority (${(error as NodeJS.ErrnoException).code})`);
  }
  if (realtime === undefined) {
    const failed = nice === undefined ? failureOfRealtime(LOWEST_REALTIME) : undefined;
    if (failed !== undefined) log.write("info", `vrrp runs without real-time scheduling: ${failed}`);
    return;
  }
  const limit = Math.max(realtimeLimit ?? 0, RUN_IN_ONE_GO);
  const failed = failure("prlimit", ["--pid", String(process.pid), `--rttime=${limit}`]) ?? failureOfRealtime(realtime);
  if (failed !== undefined) log.write("warning", `vrrp_rt_priority ${realtime} has no effect: ${failed}`);
}

/** Scripts that are started do not inherit it. */
const failureOfRealtime = (priority: number): string | undefined =>
  failure("chrt", ["--rr", "--reset-on-fork", "--pid", String(priority), String(process.pid)]);

/** util-linux has both; undefined: it worked. */
function failure(program: string, parameters: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(program, parameters, { encoding: "utf8" });
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : stderr.trim();
}
