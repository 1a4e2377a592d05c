/**
 * The figures of frontends, backends and servers as plain JSON, and their sum over several proxy processes.
 *
 * Names are those of HAProxy's CSV (management.txt 9.1). Counters are since start. Keeps no counters itself.
 */

import type { BalanceAlgorithm, Mode } from "../config/model/proxy.ts";
import type { ServerStatus } from "../health/status.ts";

export interface ProxyStatistics {
  /** Process ids that went into the sum. */
  readonly pids: readonly number[];
  /** Milliseconds since the epoch, the earliest of the processes. */
  readonly startedMs: number;
  readonly currConns: number;
  readonly cumConns: number;
  readonly cumReq: number;
  readonly maxconn: number;
  readonly stopping: boolean;
  readonly frontends: readonly FrontendStatistics[];
  readonly backends: readonly BackendStatistics[];
}

/** What the three kinds of row share. Bytes are counted as HAProxy 2.6 counts them, see `htx-size.ts`. */
export interface TrafficStatistics {
  readonly scur: number;
  readonly smax: number;
  readonly stot: number;
  readonly bin: number;
  readonly bout: number;
  readonly rate: number;
  readonly rateMax: number;
  /** Responses by class: other, 1xx … 5xx. */
  readonly hrsp: readonly [number, number, number, number, number, number];
  readonly reqTot: number;
  readonly eint: number;
}

export interface FrontendStatistics extends TrafficStatistics {
  readonly name: string;
  /** In the file, from 0; the backend of the same `listen` section has the same. */
  readonly position: number;
  readonly id: number;
  readonly mode: Mode;
  readonly status: "OPEN" | "FULL" | "STOP";
  readonly slim: number;
  readonly dreq: number;
  readonly dresp: number;
  readonly ereq: number;
  readonly reqRate: number;
  readonly reqRateMax: number;
  readonly connRate: number;
  readonly connRateMax: number;
  readonly connTot: number;
  readonly intercepted: number;
}

/** What servers and backends share. Times are averages over the last 512 requests, milliseconds. */
export interface ServingStatistics extends TrafficStatistics {
  readonly dresp: number;
  readonly econ: number;
  readonly eresp: number;
  readonly wretr: number;
  readonly wredis: number;
  readonly lbtot: number;
  readonly cliAbrt: number;
  readonly srvAbrt: number;
  readonly connect: number;
  readonly reuse: number;
  /** `qcur`, `qmax`. */
  readonly queued: number;
  readonly queuedMax: number;
  /** Milliseconds since the epoch of the last session; undefined: none yet. */
  readonly lastSessionMs: number | undefined;
  readonly qtime: number;
  readonly ctime: number;
  readonly rtime: number;
  readonly ttime: number;
  readonly qtimeMax: number;
  readonly ctimeMax: number;
  readonly rtimeMax: number;
  readonly ttimeMax: number;
}

export interface BackendStatistics extends ServingStatistics {
  readonly name: string;
  readonly position: number;
  readonly id: number;
  readonly mode: Mode;
  readonly algo: BalanceAlgorithm;
  readonly cookie: string | undefined;
  readonly up: boolean;
  /** HAProxy's fullconn. */
  readonly slim: number;
  readonly dreq: number;
  /** Sum of the weights of the servers that take load. */
  readonly weight: number;
  readonly act: number;
  readonly bck: number;
  /** Transitions of the whole backend to down. */
  readonly chkdown: number;
  readonly lastChangeMs: number;
  readonly downtimeMs: number;
  readonly servers: readonly ServerStatistics[];
}

export interface ServerStatistics extends ServingStatistics {
  readonly name: string;
  readonly id: number;
  readonly address: string;
  readonly mode: Mode;
  readonly backup: boolean;
  readonly weight: number;
  readonly cookie: string | undefined;
  /** 0: unlimited. */
  readonly slim: number;
  /** Connections; `needed` is how many were used at once of late. */
  readonly idle: number;
  readonly used: number;
  readonly needed: number;
  readonly status: ServerStatus;
}

/** A section of the file: a frontend, a backend, or a `listen` that is both. */
export interface SectionStatistics {
  readonly position: number;
  readonly frontend?: FrontendStatistics;
  readonly backend?: BackendStatistics;
}

/** In file order. */
export function sectionsOf({ frontends, backends }: ProxyStatistics): readonly SectionStatistics[] {
  const sections = new Map<number, SectionStatistics>();
  for (const frontend of frontends) sections.set(frontend.position, { position: frontend.position, frontend });
  for (const backend of backends) {
    sections.set(backend.position, { ...sections.get(backend.position), position: backend.position, backend });
  }
  return [...sections.values()].sort((a, b) => a.position - b.position);
}
