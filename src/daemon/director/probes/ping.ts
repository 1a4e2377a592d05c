/**
 * PING_CHECK: an ICMP or ICMPv6 echo (RFC 792, RFC 4443 §4.1). By a datagram socket where net.ipv4.ping_group_range lets us,
 * else by a raw one: no sysctl is changed for it.
 */

import { randomInt } from "node:crypto";
import { isIpv4 } from "../../../base/ip.ts";
import type { CheckConnection } from "../../../config/model/virtual-server.ts";
import { addon, constants, type Descriptor, SystemError, attempt as systemCall } from "../../../sys/addon.ts";
import { prepared } from "../../../sys/outgoing.ts";
import { WatchedSocket } from "../../../sys/receive.ts";
import { inetSockaddr } from "../../../sys/sockaddr.ts";
import { encodeIcmp } from "../../../wire/icmp.ts";
import { type Abort, begin, type Report, wordsOf } from "./attempt.ts";

const ECHO = { 4: { protocol: 1, request: 8, reply: 0 }, 6: { protocol: 58, request: 128, reply: 129 } } as const;
const PAYLOAD_BYTES = 32;
const SLOT_BYTES = 2048;
const SLOTS = 8;

export function probePing(connection: CheckConnection, report: Report): Abort {
  return begin(report, (attempt) => {
    const echo = ECHO[isIpv4(connection.address) ? 4 : 6];
    const { fd, raw } = open(connection, echo.protocol);
    // What the kernel leaves alone in both kinds of socket; the identifier of a datagram socket is its own.
    const token = new Uint8Array(PAYLOAD_BYTES);
    crypto.getRandomValues(token);
    let socket: WatchedSocket;
    try {
      socket = new WatchedSocket(
        fd,
        `echo replies of ${connection.address}`,
        { slotBytes: SLOT_BYTES, slots: SLOTS },
        {
          onReceived: (all) => {
            if (
              all.some(({ bytes, source }) => source === connection.address && isReply(bytes, raw, echo.reply, token))
            )
              attempt.pass("echo reply");
          },
          onError: (error) => attempt.fail(wordsOf(error)),
        },
      );
    } catch (error) {
      addon.close(fd);
      throw error;
    }
    attempt.afterwards(() => socket.close());
    attempt.deadline(connection.timeout, () =>
      attempt.fail("no echo reply", `ICMP connection to address [${connection.address}] timeout.`),
    );
    const rest = ((randomInt(0x1_0000) << 16) | 1) >>> 0;
    const packet = encodeIcmp({ type: echo.request, code: 0, rest, data: token });
    systemCall(`send an echo request to ${connection.address}`, () =>
      addon.send(fd, packet, inetSockaddr(connection.address, 0)),
    );
  });
}

function open(connection: CheckConnection, protocol: number): { readonly fd: Descriptor; readonly raw: boolean } {
  try {
    return { fd: prepared(connection, constants.SOCK_DGRAM, protocol), raw: false };
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "EACCES") throw error;
    return { fd: prepared(connection, constants.SOCK_RAW, protocol), raw: true };
  }
}

/** A raw IPv4 socket gives the IP header too; whatever else comes in is somebody else's. */
function isReply(bytes: Uint8Array, raw: boolean, type: number, token: Uint8Array): boolean {
  const start = raw && type === ECHO[4].reply ? ((bytes[0] ?? 0) & 0x0f) * 4 : 0;
  const data = bytes.subarray(start + 8);
  return bytes[start] === type && data.length === token.length && token.every((byte, index) => data[index] === byte);
}
