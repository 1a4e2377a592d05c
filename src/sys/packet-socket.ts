/**
 * Packet sockets, packet(7): whole Ethernet frames out and, when wanted, in. For gratuitous ARP and for capture.
 */

import type { MacAddress } from "../base/mac.ts";
import { addon, attempt, constants, type Descriptor, type SystemError } from "./addon.ts";
import { WatchedSocket } from "./receive.ts";
import { packetMembership, packetSockaddr } from "./sockaddr.ts";

/** One classic BPF instruction: code, jump if true, jump if false, operand. `linux/filter.h`. */
export type FilterInstruction = readonly [code: number, jt: number, jf: number, k: number];

export interface Frame {
  /** From the Ethernet header on: untrusted, possibly cut to the snap length. */
  readonly bytes: Uint8Array;
  readonly wireLength: number;
  readonly interfaceIndex: number;
  readonly sourceMac: MacAddress | undefined;
  /** Sent by this host. */
  readonly outgoing: boolean;
  /** Nanoseconds since the epoch, from the kernel. */
  readonly timestampNs: bigint | undefined;
}

export interface FrameReceiver {
  /** 0: every interface. */
  readonly interfaceIndex: number;
  /** EtherType as in 0x0806; 3 (ETH_P_ALL) for everything, and only then outgoing frames too. */
  readonly protocol: number;
  /** Frames that this host sends are not even copied. */
  readonly ignoreOutgoing?: boolean | undefined;
  /** In place before the first frame is received. */
  readonly filter?: readonly FilterInstruction[] | undefined;
  readonly promiscuous?: boolean | undefined;
  /** Bytes kept of a frame; 65,535 when missing. */
  readonly snapLength?: number | undefined;
  readonly receiveBufferBytes?: number | undefined;
  onFrames(frames: readonly Frame[]): void;
  /** ENETDOWN when the interface went down; the socket goes on and receives again when it comes back. */
  onError(error: SystemError): void;
}

export interface PacketSocket {
  readonly fd: Descriptor;
  /**
   * Sends one frame, beginning with its Ethernet header.
   * @throws SystemError ENETDOWN, ENXIO (no such interface), ENOBUFS, EMSGSIZE
   */
  send(frame: Uint8Array, interfaceIndex: number): void;
  /** Calls back with what waits, before the main loop gets to it. */
  readNow(): void;
  /** Safe to call twice. */
  close(): void;
}

/**
 * Opens one for sending, and for receiving with `receiver`.
 * @throws SystemError EPERM without CAP_NET_RAW, ENODEV
 */
export function openPacketSocket(receiver?: FrameReceiver): PacketSocket {
  // Protocol 0 receives nothing until bind names one, so no frame passes before the filter stands.
  const fd = attempt("open a packet socket", () => addon.socket(constants.AF_PACKET, constants.SOCK_RAW, 0));
  let close = () => addon.close(fd);
  let readNow: () => void = () => {};
  if (receiver !== undefined) {
    try {
      attempt("set up a packet socket", () => configure(fd, receiver));
      const watched = watch(fd, receiver);
      close = () => watched.close();
      readNow = () => watched.readNow();
    } catch (error) {
      addon.close(fd);
      throw error;
    }
  }
  let open = true;
  return {
    fd,
    send(frame, interfaceIndex) {
      attempt("send an Ethernet frame", () => addon.send(fd, frame, packetSockaddr(interfaceIndex, 0)));
    },
    readNow: () => readNow(),
    close() {
      if (open) close();
      open = false;
    },
  };
}

/** linux/if_packet.h, since Linux 4.20. */
const PACKET_IGNORE_OUTGOING = 23;

function configure(fd: Descriptor, receiver: FrameReceiver): void {
  const { interfaceIndex, filter } = receiver;
  addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_TIMESTAMPNS, 1);
  if (receiver.receiveBufferBytes !== undefined) {
    addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_RCVBUF, receiver.receiveBufferBytes);
  }
  if (receiver.promiscuous) {
    const request = packetMembership(interfaceIndex, constants.PACKET_MR_PROMISC);
    addon.setsockopt(fd, constants.SOL_PACKET, constants.PACKET_ADD_MEMBERSHIP, request);
  }
  if (receiver.ignoreOutgoing) addon.setsockopt(fd, constants.SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  if (filter !== undefined) addon.attachFilter(fd, packFilter(filter));
  addon.bind(fd, packetSockaddr(interfaceIndex, receiver.protocol));
}

/** struct sock_filter: u16 code, u8 jt, u8 jf, u32 k, host order. */
export function packFilter(program: readonly FilterInstruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, jt, jf, k]] of program.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  }
  return bytes;
}

const PACKET_OUTGOING = 4;

function watch(fd: Descriptor, receiver: FrameReceiver): WatchedSocket {
  const slotBytes = receiver.snapLength ?? 65_535;
  return new WatchedSocket(
    fd,
    "a packet socket",
    { slotBytes, slots: 32 },
    {
      onReceived: (received) =>
        receiver.onFrames(
          received.map(({ bytes, wireLength, interfaceIndex, sourceMac, packetTypeOrPort, timestampNs }) => ({
            bytes,
            wireLength,
            interfaceIndex,
            sourceMac,
            outgoing: packetTypeOrPort === PACKET_OUTGOING,
            timestampNs,
          })),
        ),
      onError: (error) => receiver.onError(error),
    },
  );
}
