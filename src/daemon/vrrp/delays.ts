/**
 * What is waited for before the machine hears of it: links that come and go (`interface_up_down_delays`), and the time
 * since the machine was booted (`vrrp_delay_after_boot`); keepalived.conf(5).
 */

import { type Duration, type Instant, inMilliseconds, microseconds } from "../../base/time.ts";
import type { InterfaceDelay, VrrpConfiguration } from "../../config/model/vrrp.ts";
import type { Input } from "../../vrrp/messages.ts";

/** Passes on what happens; a change of a link only when it has lasted as long as is configured. */
export class LinkDelays {
  readonly #pass: (input: Input) => void;
  readonly #waiting = new Map<string, { readonly up: boolean; readonly timer: NodeJS.Timeout }>();
  #delays = new Map<string, InterfaceDelay>();

  constructor(pass: (input: Input) => void) {
    this.#pass = pass;
  }

  /** Holds for changes from now on. */
  configure(delays: readonly InterfaceDelay[]): void {
    this.#delays = new Map(delays.map((delay) => [delay.interface, delay]));
  }

  handle(input: Input): void {
    if (input.type === "link") this.#changed(input);
    else this.#pass(input);
  }

  /** What waits is never passed on. */
  close(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #changed(input: Extract<Input, { type: "link" }>): void {
    const waiting = this.#waiting.get(input.interface);
    if (waiting?.up === input.up) return;
    if (waiting !== undefined) {
      // Back to what the machine knows.
      clearTimeout(waiting.timer);
      this.#waiting.delete(input.interface);
      return;
    }
    const delay = this.#delayOf(input.interface, input.up);
    if (delay === 0) {
      this.#pass(input);
      return;
    }
    const timer = setTimeout(() => {
      this.#waiting.delete(input.interface);
      this.#pass(input);
    }, inMilliseconds(delay));
    this.#waiting.set(input.interface, { up: input.up, timer });
  }

  #delayOf(name: string, up: boolean): Duration {
    const delay = this.#delays.get(name);
    return (up ? delay?.up : delay?.down) ?? microseconds(0);
  }
}

/** `sinceBoot`: the monotonic clock, which began then. */
export function withDelayAfterBoot(configuration: VrrpConfiguration, sinceBoot: Instant): VrrpConfiguration {
  const { global } = configuration;
  const startupDelay = microseconds(Math.max(global.startupDelay, global.delayAfterBoot - sinceBoot));
  return startupDelay === global.startupDelay
    ? configuration
    : { ...configuration, global: { ...global, startupDelay } };
}
