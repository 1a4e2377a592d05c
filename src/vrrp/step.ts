/**
 * What every function of the machine is given besides its values: the time, and where outputs and announcements go.
 * One of these lives for one call of `transition`.
 */

import type { Duration, Instant } from "../base/time.ts";
import type { VirtualAddress, VrrpInstance } from "../config/model/vrrp.ts";
import type { Output } from "./messages.ts";

export interface HostParameters {
  /** How long the kernel keeps a virtual address that nobody refreshes. */
  readonly addressLifetime: Duration;
  readonly addressRefresh: Duration;
}

export interface Step {
  readonly now: Instant;
  readonly parameters: HostParameters;
  readonly emit: (output: Output) => void;
  /** Sends one gratuitous ARP or neighbour advertisement, now or when `garp_interval` or `gna_interval` allows. */
  readonly announce: (instance: VrrpInstance, address: VirtualAddress) => void;
  /** Removes the address and expects to be told so. */
  readonly remove: (instance: VrrpInstance, address: VirtualAddress) => void;
}

export const log = (step: Step, line: string): void => step.emit({ type: "log", level: "info", line });
export const logDetail = (step: Step, line: string): void => step.emit({ type: "log", level: "detail", line });

/** Seconds for a sentence: at most two decimals. */
export const inWords = (span: Duration): string => `${Number((span / 1_000_000).toFixed(2))} s`;
