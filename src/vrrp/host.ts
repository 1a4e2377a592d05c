/**
 * All virtual routers, sync groups and trackers of one host as one machine.
 *
 * Pure: `transition` takes the state, what happened and the time, and answers the next state and what to do, in order.
 * Sends nothing, sets no timer, reads no clock; `daemon/vrrp` does, and so does the simulated LAN of the tests.
 */

import type { Duration, Instant } from "../base/time.ts";
import type { VrrpConfiguration } from "../config/model/vrrp.ts";
import type { HostSnapshot, Input, Output } from "./messages.ts";

export interface HostParameters {
  /** How long the kernel keeps a virtual address that nobody refreshes. */
  readonly addressLifetime: Duration;
  readonly addressRefresh: Duration;
}

/** Plain JSON; its fields are nobody's business outside `vrrp/`. */
export interface HostState {
  readonly configuration: VrrpConfiguration;
}

export declare const DEFAULT_HOST_PARAMETERS: HostParameters;

export declare function initialState(configuration: VrrpConfiguration): HostState;

export declare function transition(
  parameters: HostParameters,
  state: HostState,
  input: Input,
  now: Instant,
): { readonly state: HostState; readonly outputs: readonly Output[] };

/** When to hand in `timer`, at the latest. */
export declare function nextDeadline(state: HostState): Instant | undefined;

export declare function snapshot(state: HostState): HostSnapshot;
