/**
 * Lengthens the lives of virtual addresses, all that are due at one moment together and without waiting for it: a master
 * that sends adverts every 10 ms must not stand still while others change the kernel's network.
 */

import type { Duration } from "../../base/time.ts";
import type { VirtualAddress } from "../../config/model/vrrp.ts";
import { SystemError } from "../../sys/addon.ts";
import { addressRequest } from "../../sys/addresses.ts";
import { BackgroundNetlink, type PreparedRequest } from "../../sys/background-netlink.ts";
import type { Complaints } from "./complaints.ts";
import { virtualAssignment } from "./kernel-requests.ts";

export interface RenewalsOptions {
  readonly complaints: Complaints;
  /** It was let go while its renewal was under way, and is to be removed now. */
  readonly outlived: (address: VirtualAddress) => void;
  readonly isHeld: (address: VirtualAddress) => boolean;
  /** Listeners know by it who renews; told after the first renewal. */
  readonly portKnown: (port: number) => void;
}

/** What was asked for last time is asked for again: every second, for hundreds of addresses. */
interface Prepared {
  readonly index: number;
  readonly lifetime: Duration;
  readonly request: PreparedRequest;
}

export class Renewals {
  readonly #options: RenewalsOptions;
  readonly #netlink = new BackgroundNetlink();
  readonly #prepared = new WeakMap<VirtualAddress, Prepared>();
  readonly #underWay = new Set<VirtualAddress>();
  readonly #batches = new Set<Promise<void>>();
  #due: { readonly address: VirtualAddress; readonly request: PreparedRequest }[] = [];

  /** @throws SystemError */
  constructor(options: RenewalsOptions) {
    this.#options = options;
  }

  /** `index` is that of its interface. What is under way already is not asked for again. */
  renew(address: VirtualAddress, index: number, lifetime: Duration): void {
    if (this.#underWay.has(address)) return;
    this.#underWay.add(address);
    this.#due.push({ address, request: this.#requestFor(address, index, lifetime) });
    if (this.#due.length > 1) return;
    queueMicrotask(() => {
      const batch = this.#renewAll().finally(() => this.#batches.delete(batch));
      this.#batches.add(batch);
    });
  }

  isUnderWay(address: VirtualAddress): boolean {
    return this.#underWay.has(address);
  }

  /** No renewal is under way, nor due. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all([null, ...this.#batches]);
  }

  async close(): Promise<void> {
    await this.idle();
    await this.#netlink.close();
  }

  #requestFor(address: VirtualAddress, index: number, lifetime: Duration): PreparedRequest {
    const known = this.#prepared.get(address);
    if (known?.index === index && known.lifetime === lifetime) return known.request;
    const request = addressRequest(virtualAssignment(address, index, lifetime));
    this.#prepared.set(address, { index, lifetime, request });
    return request;
  }

  async #renewAll(): Promise<void> {
    const due = this.#due;
    this.#due = [];
    const { complaints, isHeld, outlived, portKnown } = this.#options;
    const before = this.#netlink.port;
    try {
      const refused = await this.#netlink.request(due.map(({ request }) => request));
      for (const [position, error] of refused)
        complaints.say(`hold ${due[position]?.address.address} ${error.code}`, error.message);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      complaints.say(`hold addresses ${error.code}`, error.message);
    }
    if (this.#netlink.port !== before) portKnown(this.#netlink.port);
    for (const { address } of due) {
      this.#underWay.delete(address);
      if (!isHeld(address)) outlived(address);
    }
  }
}
