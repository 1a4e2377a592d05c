/**
 * Tells the clients of a server that is gone: a reset each, from the VIP. Those who send something hear it from the
 * programs; those who only wait would not notice for hours.
 *
 * Bounded: a daemon sends some thousand a second beside its other work, a command what it can within a second. Best
 * effort: a client that acknowledged more since then does not take it, and hears with its next packet.
 */

import type { ResetTarget } from "../../director/connections.ts";
import type { GoneServer } from "../../director/store.ts";
import { IpSender } from "../../sys/ip-sender.ts";
import { encodeTcpReset } from "../../wire/tcp-reset.ts";

const BATCH = 250;
const PAUSE_MS = 50;
/** Of a command, which ends. */
const AT_ONCE_MS = 1_000;

export interface ResetSenderOptions {
  readonly targets: (servers: ReadonlySet<number>) => Iterable<ResetTarget>;
  /** It stays there, so it may take its time. */
  readonly stays: boolean;
  readonly say: (text: string) => void;
}

export class ResetSender {
  readonly #options: ResetSenderOptions;
  readonly #sender = new IpSender();
  #waiting = new Set<number>();
  #walk: Iterator<ResetTarget> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(options: ResetSenderOptions) {
    this.#options = options;
  }

  /** Takes note; `start` sends. */
  add(servers: readonly GoneServer[]): void {
    for (const { number, onServerDown } of servers) if (onServerDown === "reset") this.#waiting.add(number);
  }

  start(): void {
    if (this.#waiting.size === 0 || this.#timer !== undefined) return;
    if (this.#options.stays) this.#timer = setTimeout(() => this.#next(), 0).unref();
    else this.#all(performance.now() + AT_ONCE_MS);
  }

  /** Sends what waits, as far as a second goes; the rest is let go. Servers may be forgotten afterwards. */
  finish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#all(performance.now() + AT_ONCE_MS);
    if (this.#options.stays) this.#tell();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
    this.#sender.close();
  }

  #next(): void {
    if (this.#batch()) {
      this.#timer = setTimeout(() => this.#next(), PAUSE_MS).unref();
      return;
    }
    this.#timer = undefined;
    this.#tell();
    this.start();
  }

  #all(until: number): void {
    while ((this.#walk !== undefined || this.#waiting.size > 0) && performance.now() < until) this.#batch();
    this.#waiting.clear();
    this.#walk = undefined;
  }

  #tell(): void {
    if (this.#sent > 0) this.#options.say(`${this.#sent} clients of servers that are gone were reset`);
    this.#sent = 0;
  }

  /** False: nothing is left. */
  #batch(): boolean {
    this.#walk ??= this.#begin();
    for (let tried = 0; tried < BATCH; tried++) {
      const { done, value } = this.#walk.next();
      if (done === true) {
        this.#walk = undefined;
        return false;
      }
      const { client, virtual, sequence } = value;
      const packet = encodeTcpReset({ source: virtual, destination: client, sequence });
      if (this.#sender.send(packet, client.address)) this.#sent++;
    }
    return true;
  }

  #begin(): Iterator<ResetTarget> {
    const servers = this.#waiting;
    this.#waiting = new Set();
    return this.#options.targets(servers)[Symbol.iterator]();
  }
}
