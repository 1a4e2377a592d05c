/**
 * Passing open descriptors between processes: SCM_RIGHTS over a pair of connected sockets, unix(7).
 *
 * Messages keep their boundaries (SOCK_SEQPACKET). A channel whose other end is closed reports that once.
 */

import { addon, attempt, constants, type Descriptor, type SystemError } from "./addon.ts";
import { WatchedSocket } from "./receive.ts";

export interface ChannelHandlers {
  /** The receiver owns the descriptors and has to close them. */
  onMessage(bytes: Uint8Array, descriptors: readonly Descriptor[]): void;
  /** The other end closed. */
  onEnd(): void;
  onError(error: SystemError): void;
}

/** Two connected ends: keep one, give the other to a child as `stdio`. Close-on-exec. */
export function channelPair(): [Descriptor, Descriptor] {
  return attempt("make a pair of sockets", () => addon.socketpair(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0));
}

/** The kernel's SCM_MAX_FD. */
export const MOST_DESCRIPTORS = 253;

const LARGEST_MESSAGE = 65_536;

export class DescriptorChannel {
  readonly #socket: WatchedSocket;
  #open = true;

  /** Takes over the descriptor of one end. */
  constructor(end: Descriptor, handlers: ChannelHandlers) {
    this.#socket = new WatchedSocket(
      end,
      "a descriptor channel",
      { slotBytes: LARGEST_MESSAGE, slots: 4 },
      {
        onReceived: (received) => {
          for (const { bytes, descriptors } of received) {
            if (!this.#open) {
              for (const fd of descriptors) addon.close(fd);
            } else if (bytes.length === 0) {
              this.close();
              handlers.onEnd();
            } else {
              handlers.onMessage(bytes, descriptors);
            }
          }
        },
        onError: (error) => handlers.onError(error),
      },
    );
  }

  /**
   * Sends 1 to 65,536 bytes and up to 253 descriptors, which stay open here too.
   * @throws SystemError EPIPE, EAGAIN when the other end does not read; RangeError
   */
  send(bytes: Uint8Array, descriptors: readonly Descriptor[] = []): void {
    if (bytes.length === 0 || bytes.length > LARGEST_MESSAGE) throw new RangeError("1 to 65,536 bytes");
    if (descriptors.length > MOST_DESCRIPTORS) throw new RangeError(`at most ${MOST_DESCRIPTORS} descriptors`);
    attempt("pass descriptors", () => addon.send(this.#socket.fd, bytes, undefined, undefined, descriptors));
  }

  /** Safe to call twice, and from within a handler. */
  close(): void {
    this.#open = false;
    this.#socket.close();
  }
}
