/**
 * rtnetlink sockets, rtnetlink(7): requests with their acknowledgement, dumps, and a monitor for multicast groups.
 *
 * Requests are synchronous: the kernel has answered by the time that the sending call returns, so there is nothing to
 * wait for, and what the caller does next comes after it. Requests and monitoring use sockets of their own, so that a
 * storm of events cannot lose an answer.
 */

import {
  buildNetlink,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  parseNetlink,
} from "../wire/netlink.ts";
import { parseAck } from "../wire/netlink-ack.ts";
import { addon, attempt, constants, type Descriptor, type SystemError, systemError } from "./addon.ts";
import { type FilterInstruction, packFilter } from "./packet-socket.ts";
import { readBatch, WatchedSocket } from "./receive.ts";
import { netlinkSockaddr } from "./sockaddr.ts";

/** The kernel answers a dump with datagrams of at most 32 kB when the reader offers as much. */
const DATAGRAM_BYTES = 32_768;

/** A socket for requests. */
export class Netlink {
  readonly fd: Descriptor;
  /** The number by which listeners see who asked (`NetlinkMessage.port`); 0 before the first answer. */
  port = 0;
  #sequence = 0;
  #open = true;

  /** @throws SystemError */
  constructor() {
    this.fd = openRouteSocket([]);
  }

  /**
   * Asks for a change and returns when the kernel has made it.
   * @param flags besides NLM_F_REQUEST and NLM_F_ACK
   * @param tried for the error: what the request is for, as in "add 10.0.0.1/24 to eth0"
   * @throws SystemError with the kernel's errno, and its own explanation in the message
   */
  request(type: number, flags: number, payload: Uint8Array, tried: string): void {
    this.#send(type, flags | NLM_F_ACK, payload, tried);
    this.#answers(tried);
  }

  /**
   * All messages of a dump. Repeated when the kernel says that it changed underneath, so that the result is consistent.
   * @throws SystemError; EINTR when it never stood still
   */
  dump(type: number, payload: Uint8Array, tried: string): readonly NetlinkMessage[] {
    for (let attempts = 0; attempts < 10; attempts++) {
      this.#send(type, NLM_F_DUMP, payload, tried);
      const { messages, interrupted } = this.#answers(tried);
      if (!interrupted) return messages;
    }
    throw systemError("netlink", constants.EINTR, tried, "the dump was interrupted ten times");
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#open) addon.close(this.fd);
    this.#open = false;
  }

  #send(type: number, flags: number, payload: Uint8Array, tried: string): void {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const message = { type, flags: flags | NLM_F_REQUEST, sequence: this.#sequence, port: 0, payload };
    attempt(tried, () => addon.send(this.fd, buildNetlink(message), netlinkSockaddr()));
  }

  /** Up to the acknowledgement or the end of the dump. Left-overs of a request that failed half-way are passed over. */
  #answers(tried: string): { messages: readonly NetlinkMessage[]; interrupted: boolean } {
    const messages: NetlinkMessage[] = [];
    let interrupted = false;
    for (;;) {
      const batch = attempt(tried, () => addon.receive(this.fd, DATAGRAM_BYTES, 1));
      if (batch === undefined) throw systemError("netlink", constants.EAGAIN, tried, "the kernel gave no answer");
      for (const datagram of readBatch(batch)) {
        for (const message of parseNetlink(datagram.bytes).messages) {
          if (message.sequence !== this.#sequence) continue;
          this.port = message.port;
          if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
          const ack = parseAck(message);
          if (ack !== undefined && ack.errno !== 0) throw systemError("netlink", ack.errno, tried, ack.text);
          if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) return { messages, interrupted };
          if (message.type !== NLMSG_NOOP) messages.push(message);
        }
      }
    }
  }
}

export interface MonitorHandlers {
  onMessages(messages: readonly NetlinkMessage[]): void;
  /** Messages were lost (ENOBUFS); those before have been passed over. What is known must be dumped again. */
  onLost(): void;
  onError(error: SystemError): void;
}

/** A socket that listens to multicast groups (RTNLGRP_*). */
export class NetlinkMonitor {
  readonly #socket: WatchedSocket;

  /** @param filter over the datagram, one message each: what it refuses is not even queued. @throws SystemError */
  constructor(groups: readonly number[], handlers: MonitorHandlers, filter?: readonly FilterInstruction[]) {
    const fd = openRouteSocket(groups);
    try {
      if (filter !== undefined) attempt("filter rtnetlink", () => addon.attachFilter(fd, packFilter(filter)));
      this.#socket = new WatchedSocket(
        fd,
        "rtnetlink",
        { slotBytes: DATAGRAM_BYTES, slots: 16 },
        {
          onReceived: (received) => handlers.onMessages(received.flatMap(({ bytes }) => parseNetlink(bytes).messages)),
          onError(error) {
            if (error.errno !== constants.ENOBUFS) return handlers.onError(error);
            drain(fd);
            handlers.onLost();
          },
        },
      );
    } catch (error) {
      addon.close(fd);
      throw error;
    }
  }

  /** In place of the one before; what waits has passed that. @throws SystemError */
  filter(filter: readonly FilterInstruction[]): void {
    attempt("filter rtnetlink", () => addon.attachFilter(this.#socket.fd, packFilter(filter)));
  }

  /** Passes over what waits: for whoever reads everything again now. */
  discard(): void {
    drain(this.#socket.fd);
  }

  /** Safe to call twice, and from within a handler. */
  close(): void {
    this.#socket.close();
  }
}

/**
 * What still waits is older than what was lost: read after a fresh dump it would bring back a state that has passed. And the
 * kernel goes on dropping until the queue was empty once (netlink(7), "congested"). Bounded, as new events come in
 * meanwhile; should it not suffice, ENOBUFS comes again.
 */
function drain(fd: Descriptor): void {
  for (let rounds = 0; rounds < 1_000; rounds++) {
    try {
      if (addon.receive(fd, DATAGRAM_BYTES, 16) === undefined) return;
    } catch {
      // ENOBUFS once more, which is known.
    }
  }
}

/** Bound, with room for bursts; listens to these groups (RTNLGRP_*). @throws SystemError */
export function openRouteSocket(groups: readonly number[]): Descriptor {
  return attempt("open an rtnetlink socket", () => {
    const fd = addon.socket(constants.AF_NETLINK, constants.SOCK_RAW, constants.NETLINK_ROUTE);
    try {
      addon.setsockopt(fd, constants.SOL_NETLINK, constants.NETLINK_EXT_ACK, 1);
      addon.setsockopt(fd, constants.SOL_NETLINK, constants.NETLINK_CAP_ACK, 1);
      enlargeBuffer(fd);
      addon.bind(fd, netlinkSockaddr());
      for (const group of groups) {
        addon.setsockopt(fd, constants.SOL_NETLINK, constants.NETLINK_ADD_MEMBERSHIP, group);
      }
      return fd;
    } catch (error) {
      addon.close(fd);
      throw error;
    }
  });
}

const RECEIVE_BUFFER_BYTES = 1 << 20;

/** Beyond net.core.rmem_max with CAP_NET_ADMIN; without it up to there, which only means more frequent dumps. */
function enlargeBuffer(fd: Descriptor): void {
  const { SOL_SOCKET, SO_RCVBUF, SO_RCVBUFFORCE } = constants;
  try {
    addon.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
  } catch {
    addon.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
  }
}
