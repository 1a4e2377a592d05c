/**
 * Takes apart what the addon received: the batch layout of `native/receive.h`, and a watched socket over it.
 *
 * The bytes of a packet are a view of the batch and stay valid as long as they are referenced.
 */

import { type IpAddress, ipv4FromBytes, ipv6FromBytes } from "../base/ip.ts";
import { type MacAddress, macFromBytes } from "../base/mac.ts";
import { addon, attempt, constants, type Descriptor, SystemError, systemError } from "./addon.ts";

export interface Received {
  readonly bytes: Uint8Array;
  /** Length on the wire; more than `bytes.length` when the slot was too small. */
  readonly wireLength: number;
  /** The interface that it came in on; 0 when the kernel did not say. */
  readonly interfaceIndex: number;
  /** AF_INET and AF_INET6. */
  readonly source: IpAddress | undefined;
  /** With IP_PKTINFO. */
  readonly destination: IpAddress | undefined;
  /** AF_PACKET: the sender's hardware address when it has six bytes. */
  readonly sourceMac: MacAddress | undefined;
  /** AF_PACKET: PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3, OUTGOING 4. Others: the port. */
  readonly packetTypeOrPort: number;
  /** AF_PACKET: the EtherType. AF_NETLINK: the groups. */
  readonly protocol: number;
  /** With IP_RECVTTL. */
  readonly ttl: number | undefined;
  /** With SO_TIMESTAMPNS: nanoseconds since the epoch. */
  readonly timestampNs: bigint | undefined;
  /** Received by SCM_RIGHTS, close-on-exec; the receiver owns them. */
  readonly descriptors: readonly Descriptor[];
}

const RECORD_WORDS = 20;

export function readBatch(batch: ArrayBuffer): Received[] {
  // One view for all records: hundreds of packets a second are read, and a view costs more than what is read through it.
  const words = new Uint32Array(batch, 0, batch.byteLength >>> 2);
  const count = words[0] ?? 0;
  const all = new Uint8Array(batch);
  const received: Received[] = [];
  for (let i = 0; i < count; i++) received.push(readRecord(all, 1 + i * RECORD_WORDS, words));
  return received;
}

function readRecord(all: Uint8Array, first: number, words: Uint32Array): Received {
  const word = (index: number): number => words[first + index] ?? 0;
  const at = first * 4;
  const family = word(3);
  const ttl = word(7);
  const descriptorsAt = word(18);
  const seconds = word(16);
  const hasDestination = word(12) !== 0 || word(13) !== 0 || word(14) !== 0 || word(15) !== 0;
  const isPacket = family === constants.AF_PACKET;
  return {
    bytes: all.subarray(word(0), word(0) + word(1)),
    wireLength: word(2),
    interfaceIndex: word(4),
    source: ipAt(all, at + 32, family),
    destination: hasDestination ? ipAt(all, at + 48, family) : undefined,
    sourceMac: isPacket && word(15) === 6 ? macFromBytes(all, at + 32) : undefined,
    packetTypeOrPort: word(5),
    protocol: word(6),
    ttl: ttl === 0xffff_ffff ? undefined : ttl,
    timestampNs: seconds === 0 ? undefined : BigInt(seconds) * 1_000_000_000n + BigInt(word(17)),
    descriptors: word(19) === 0 ? [] : Array.from(new Int32Array(all.buffer, descriptorsAt, word(19))),
  };
}

function ipAt(all: Uint8Array, at: number, family: number): IpAddress | undefined {
  if (family === constants.AF_INET) return ipv4FromBytes(all, at);
  if (family === constants.AF_INET6) return ipv6FromBytes(all, at);
  return undefined;
}

export interface WatchHandlers {
  onReceived(received: readonly Received[]): void;
  /** The socket stays watched: ENOBUFS and ENETDOWN pass. */
  onError(error: SystemError): void;
}

export interface SlotSize {
  readonly slotBytes: number;
  readonly slots: number;
}

/** Who floods a socket does not keep `readNow` busy for ever. */
const MOST_BATCHES = 16;

/** A descriptor that the main loop watches; `close` ends both. */
export class WatchedSocket {
  readonly fd: Descriptor;
  readonly #what: string;
  readonly #size: SlotSize;
  readonly #handlers: WatchHandlers;
  readonly #watch: number;
  #open = true;

  constructor(fd: Descriptor, what: string, size: SlotSize, handlers: WatchHandlers) {
    this.fd = fd;
    this.#what = what;
    this.#size = size;
    this.#handlers = handlers;
    this.#watch = attempt(`watch ${what}`, () =>
      addon.watch(fd, size.slotBytes, size.slots, (errno, batch) => {
        if (batch !== undefined) handlers.onReceived(readBatch(batch));
        else handlers.onError(systemError("recvmmsg", errno, `receive from ${what}`));
      }),
    );
  }

  /** Hands on what waits, before the main loop gets to it. */
  readNow(): void {
    const { slotBytes, slots } = this.#size;
    for (let batches = 0; this.#open && batches < MOST_BATCHES; batches++) {
      let batch: ArrayBuffer | undefined;
      try {
        batch = attempt(`receive from ${this.#what}`, () => addon.receive(this.fd, slotBytes, slots));
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        this.#handlers.onError(error);
        return;
      }
      if (batch === undefined) return;
      this.#handlers.onReceived(readBatch(batch));
    }
  }

  /** Safe to call twice, and from within a handler. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    addon.unwatch(this.#watch);
    addon.close(this.fd);
  }
}
