/** What the processes of a program cost: processor time and memory, from /proc/PID/task/TID/schedstat and smaps_rollup. */

import { readdirSync, readFileSync } from "node:fs";
import { tree } from "../test/support/vrrp-pair.ts";

export interface Cost {
  /** User and system time of those that live, seconds. */
  readonly cpuSeconds: number;
  /** Proportional set size, megabytes. */
  readonly pssMegabytes: number;
}

/** Of the process and all that came of it, as far as `counts` says so of their command line. */
export function costOf(pid: number, counts: (commandLine: string) => boolean = () => true): Cost {
  let [nanoseconds, kilobytes] = [0, 0];
  for (const one of tree(pid)) {
    if (!counts(readFileSync(`/proc/${one}/cmdline`, "utf8").replaceAll("\0", " "))) continue;
    for (const thread of readdirSync(`/proc/${one}/task`))
      nanoseconds += Number(readFileSync(`/proc/${one}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    kilobytes += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, "utf8"))?.[1] ?? 0);
  }
  return { cpuSeconds: nanoseconds / 1e9, pssMegabytes: kilobytes / 1024 };
}
