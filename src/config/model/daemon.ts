/** What keepalived.conf says of the processes and their files, besides what they do. Plain JSON. Names are keepalived's. */

import type { Duration } from "../../base/time.ts";

export interface DaemonSettings {
  /** `instance NAME`: one of several in a host; ends the names of pid files. */
  readonly instance: string | undefined;
  /** `use_pid_dir`: pid files lie in /run/keepalived. */
  readonly usePidDir: boolean;
  /** `child_wait_time`: so long the children have to end by themselves. */
  readonly childWaitTime: Duration;
  /** `umask`, for every file that is made. */
  readonly umask: number;
  /** `process_name` and the like; undefined: each has its usual name. */
  readonly processNames: {
    readonly parent: string | undefined;
    readonly vrrp: string | undefined;
    readonly checker: string | undefined;
    readonly bfd: string | undefined;
  };
  readonly dumps: {
    /** `data_use_instance`: the instance's name is part of the names of dump files. */
    readonly useInstance: boolean;
    /** `state_dump_file`, `stats_dump_file`, `json_dump_file`; undefined: /tmp/keepalived.data and so on. */
    readonly state: string | undefined;
    readonly stats: string | undefined;
    readonly json: string | undefined;
    readonly jsonVersion: 1 | 2;
  };
}
