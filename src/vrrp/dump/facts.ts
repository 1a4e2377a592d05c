/**
 * What keepalived's dumps show besides configuration and state of the machine: whoever writes them gathers it.
 *
 * The shapes follow the files that keepalived 2.2.7 writes on SIGUSR1, SIGUSR2 and SIGRTMIN+2 (docs/reference/keepalived.md);
 * nothing here opens, reads or writes anything.
 */

import type { Instant } from "../../base/time.ts";
import type { DaemonSettings } from "../../config/model/daemon.ts";
import type { ScriptCommand, VrrpConfiguration } from "../../config/model/vrrp.ts";
import type { HostSnapshot, InstanceSnapshot } from "../messages.ts";
import { shownState } from "./words.ts";

export interface DumpInterface {
  readonly name: string;
  readonly index: number;
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  readonly mac: string | undefined;
  readonly mtu: number;
  /** IFF_*. */
  readonly flags: number;
  /** ARPHRD_* 772. */
  readonly loopback: boolean;
}

export interface DumpFacts {
  readonly routerId: string;
  /** Of `-s`. */
  readonly networkNamespace: string | undefined;
  readonly interfaces: readonly DumpInterface[];
  /** The program as it is found after links were followed, and the numbers that it runs as. */
  readonly resolve: (command: ScriptCommand) => { argv: readonly string[]; uid: number; gid: number };
  /** Of the clock on the wall: microseconds since the epoch, and as ctime(3) shows them: `Sat Nov 21 00:21:53 2026`. */
  readonly wall: (at: Instant) => { readonly microseconds: number; readonly day: string; readonly year: string };
}

export interface Dumped {
  readonly configuration: VrrpConfiguration;
  /** Undefined: keepalived's defaults. */
  readonly daemon?: DaemonSettings | undefined;
  readonly umask?: number | undefined;
  readonly snapshot: HostSnapshot;
  readonly facts: DumpFacts;
}

/** keepalived's words and, in JSON, its numbers. */
const STATE_NUMBERS = { INIT: 0, BACKUP: 1, MASTER: 2, FAULT: 3, STOP: 98 } as const;

export const stateNumber = (state: InstanceSnapshot["state"]): number => STATE_NUMBERS[shownState(state)];

/** Where it wants to be: what it is, or, before it has begun, BACKUP. */
export const wantedState = ({ state }: InstanceSnapshot): InstanceSnapshot["state"] =>
  state === "INIT" ? "BACKUP" : state;

/** Priority 0 says that a master leaves, not what it had. */
export const masterPriority = ({ lastAdvert }: InstanceSnapshot): number => lastAdvert?.priority ?? 0;
