/**
 * rtnetlink requests made on another thread, for what need not be done before the next step.
 *
 * The kernel changes its network behind one lock (rtnl_mutex) and makes whoever asks for a change wait for it. A thread of
 * libuv's pool waits here instead, once for all requests that are made together.
 */

import { write } from "node:fs";
import { promisify } from "node:util";
import { NLM_F_ACK, parseNetlink } from "../wire/netlink.ts";
import { parseAck } from "../wire/netlink-ack.ts";
import { addon, attempt, constants, type SystemError, systemError } from "./addon.ts";
import { openRouteSocket } from "./netlink.ts";
import { readBatch } from "./receive.ts";

const writeTo = promisify(write);
const ANSWER_BYTES = 4_096;
const ANSWERS_AT_ONCE = 32;
/** struct nlmsghdr, host order: length u32, type u16, flags u16, sequence u32. */
const [FLAGS_AT, SEQUENCE_AT] = [6, 8];
/** The kernel queues an answer for each message; its buffer has room for these. */
const MOST_TOGETHER = 256;

/** A whole netlink message without its sequence number and NLM_F_ACK, and what it is for, for the error. */
export interface PreparedRequest {
  readonly message: Uint8Array;
  readonly tried: string;
}

export class BackgroundNetlink {
  /** The number by which listeners see who asked; 0 before the first answer. */
  port = 0;
  readonly #fd = openRouteSocket([]);
  #sequence = 0;
  #last: Promise<unknown> = Promise.resolve();
  #open = true;

  /**
   * Asks for changes in this order, after those asked for before; resolves when the kernel has answered all, with those that
   * it refused, by position. What waits when it is closed is not asked for.
   * @throws SystemError when they could not be asked for
   */
  request(requests: readonly PreparedRequest[]): Promise<ReadonlyMap<number, SystemError>> {
    const made = this.#last.then(() => this.#makeAll(requests));
    this.#last = made.catch(() => undefined);
    return made;
  }

  async #makeAll(requests: readonly PreparedRequest[]): Promise<ReadonlyMap<number, SystemError>> {
    const refused = new Map<number, SystemError>();
    for (let first = 0; first < requests.length && this.#open; first += MOST_TOGETHER) {
      await this.#make(requests.slice(first, first + MOST_TOGETHER), first, refused);
    }
    return refused;
  }

  async #make(
    requests: readonly PreparedRequest[],
    position: number,
    refused: Map<number, SystemError>,
  ): Promise<void> {
    const tried = requests[0]?.tried ?? "";
    const first = this.#sequence + 1;
    this.#sequence = (this.#sequence + requests.length) >>> 0;
    // A socket without a peer writes to the kernel, which works on all messages within the call.
    await writeTo(this.#fd, joined(requests, first)).catch((error: NodeJS.ErrnoException) => {
      throw systemError("netlink", Math.abs(error.errno ?? 0), tried);
    });
    for (;;) {
      const batch = attempt(tried, () => addon.receive(this.#fd, ANSWER_BYTES, ANSWERS_AT_ONCE));
      if (batch === undefined) throw systemError("netlink", constants.EAGAIN, tried, "the kernel gave no answer");
      for (const answer of readBatch(batch).flatMap(({ bytes }) => parseNetlink(bytes).messages)) {
        const ack = parseAck(answer);
        const index = (answer.sequence - first) >>> 0;
        const request = requests[index];
        // Others answer requests that failed half-way.
        if (ack === undefined || request === undefined) continue;
        this.port = answer.port;
        if (ack.errno !== 0) refused.set(position + index, systemError("netlink", ack.errno, request.tried, ack.text));
        if (index === requests.length - 1) return;
      }
    }
  }

  /** Resolves when the requests that are under way have ended. Safe to call twice. */
  async close(): Promise<void> {
    const wasOpen = this.#open;
    this.#open = false;
    await this.#last;
    if (wasOpen) addon.close(this.#fd);
  }
}

/** One after another, numbered. The last is acknowledged; of the others only a refusal is told. */
function joined(requests: readonly PreparedRequest[], first: number): Uint8Array {
  const bytes = new Uint8Array(requests.reduce((sum, { message }) => sum + message.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [index, { message }] of requests.entries()) {
    bytes.set(message, at);
    view.setUint32(at + SEQUENCE_AT, (first + index) >>> 0, true);
    if (index === requests.length - 1)
      view.setUint16(at + FLAGS_AT, view.getUint16(at + FLAGS_AT, true) | NLM_F_ACK, true);
    at += message.length;
  }
  return bytes;
}
