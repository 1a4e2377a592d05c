/**
 * rtnetlink requests made on another thread, for what need not be done before the next step.
 *
 * The kernel changes its network behind one lock (rtnl_mutex) and makes whoever asks for a change wait for it: hundreds of
 * milliseconds while another program takes network namespaces down. A thread of libuv's pool waits here instead.
 */

import { write } from "node:fs";
import { promisify } from "node:util";
import { buildNetlink, NLM_F_ACK, NLM_F_REQUEST, parseNetlink } from "../wire/netlink.ts";
import { parseAck } from "../wire/netlink-ack.ts";
import { addon, attempt, constants, systemError } from "./addon.ts";
import { openRouteSocket } from "./netlink.ts";
import { readBatch } from "./receive.ts";

const writeTo = promisify(write);
const ANSWER_BYTES = 4_096;

export class BackgroundNetlink {
  readonly #fd = openRouteSocket([]);
  #sequence = 0;
  #last: Promise<void> = Promise.resolve();
  #open = true;

  /**
   * Asks for a change; resolves when the kernel has made it. Requests are made in order; those that wait when it is closed
   * are not made.
   * @param flags besides NLM_F_REQUEST and NLM_F_ACK
   * @param tried for the error: what the request is for
   * @throws SystemError with the kernel's errno
   */
  request(type: number, flags: number, payload: Uint8Array, tried: string): Promise<void> {
    const made = this.#last.then(() => (this.#open ? this.#make(type, flags, payload, tried) : undefined));
    this.#last = made.catch(() => undefined);
    return made;
  }

  async #make(type: number, flags: number, payload: Uint8Array, tried: string): Promise<void> {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const sequence = this.#sequence;
    const message = { type, flags: flags | NLM_F_REQUEST | NLM_F_ACK, sequence, port: 0, payload };
    // A socket without a peer writes to the kernel, which works on it within the call.
    await writeTo(this.#fd, buildNetlink(message)).catch((error: NodeJS.ErrnoException) => {
      throw systemError("netlink", Math.abs(error.errno ?? 0), tried);
    });
    for (;;) {
      const batch = attempt(tried, () => addon.receive(this.#fd, ANSWER_BYTES, 1));
      if (batch === undefined) throw systemError("netlink", constants.EAGAIN, tried, "the kernel gave no answer");
      for (const answer of readBatch(batch).flatMap(({ bytes }) => parseNetlink(bytes).messages)) {
        const ack = answer.sequence === sequence ? parseAck(answer) : undefined;
        if (ack === undefined) continue;
        if (ack.errno !== 0) throw systemError("netlink", ack.errno, tried, ack.text);
        return;
      }
    }
  }

  /** Resolves when the request that is under way has ended. Safe to call twice. */
  async close(): Promise<void> {
    const wasOpen = this.#open;
    this.#open = false;
    await this.#last;
    if (wasOpen) addon.close(this.#fd);
  }
}
