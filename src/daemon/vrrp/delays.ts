/**
 * What is waited for before the machine hears of it: links that come and go (`interface_up_down_delays`), and the time
 * since the machine was booted (`vrrp_delay_after_boot`); keepalived.conf(5).
 */

import { type Duration, type Instant, inMilliseconds, microseconds } from "../../base/time.ts";
import type { InterfaceDelay, VrrpConfiguration } from "../../config/model/vrrp.ts";
import type { Input, InterfaceReport } from "../../vrrp/messages.ts";

type LinkInput = Extract<Input, { type: "link" }>;

/** Passes on what happens; a change of a link only when it has lasted as long as is configured. */
export class LinkDelays {
  readonly #pass: (input: Input) => void;
  /** What the machine knows of links; of others it knows that they are not there. */
  readonly #known = new Map<string, Pick<LinkInput, "up" | "lack">>();
  readonly #waiting = new Map<string, { input: LinkInput; readonly timer: NodeJS.Timeout }>();
  #delays = new Map<string, InterfaceDelay>();

  constructor(pass: (input: Input) => void) {
    this.#pass = pass;
  }

  /** What the machine is told at its start. */
  begin(interfaces: readonly InterfaceReport[]): void {
    for (const one of interfaces) this.#known.set(one.name, one);
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

  #changed(input: LinkInput): void {
    const { interface: name } = input;
    const waiting = this.#waiting.get(name);
    if (waiting?.input.up === input.up) {
      waiting.input = input;
      return;
    }
    clearTimeout(waiting?.timer);
    this.#waiting.delete(name);
    const known = this.#known.get(name) ?? { up: false, lack: "interface" };
    if (known.up === input.up) {
      if (known.lack !== input.lack) this.#tell(input);
      return;
    }
    const delay = this.#delayOf(name, input.up);
    if (delay === 0) {
      this.#tell(input);
      return;
    }
    const timer = setTimeout(() => {
      const last = this.#waiting.get(name)?.input ?? input;
      this.#waiting.delete(name);
      this.#tell(last);
    }, inMilliseconds(delay));
    this.#waiting.set(name, { input, timer });
  }

  #tell(input: LinkInput): void {
    this.#known.set(input.interface, input);
    this.#pass(input);
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
