/**
 * UDP_CHECK: a datagram; an ICMP error that comes back is down. Without `require_reply` silence is up, once the time-out has
 * passed: so a probe of a healthy silent server takes that long.
 */

import type { CheckConnection, UdpCheck } from "../../../config/model/virtual-server.ts";
import { connectDatagram } from "../../../sys/outgoing.ts";
import { type Abort, begin, type Report, target, wordsOf } from "./attempt.ts";

export function probeUdp(check: UdpCheck & { readonly connection: CheckConnection }, report: Report): Abort {
  return begin(report, (attempt) => {
    const { connection } = check;
    const what = target(connection, "udp");
    const socket = connectDatagram(connection);
    attempt.afterwards(() => socket.close());
    attempt.deadline(connection.timeout, () =>
      check.requireReply
        ? attempt.fail("no reply", `UDP connection to ${what} failed.`)
        : attempt.pass("no error came back"),
    );
    socket.on("error", (error) => attempt.fail(wordsOf(error), `UDP connection to ${what} failed.`));
    socket.once("connect", () => socket.send(Buffer.from(check.payload, "hex")));
    socket.on("message", (bytes) => {
      if (!check.requireReply || isExpected(check, bytes)) attempt.pass(`reply of ${bytes.length} bytes`);
      else attempt.fail("another reply than expected", `UDP check to ${what} reply data mismatch.`);
    });
  });
}

/** `x` in the pattern stands for any digit; what follows the pattern is free. */
export function isExpected(
  {
    minReplyLength,
    maxReplyLength,
    replyPattern,
  }: Pick<UdpCheck, "minReplyLength" | "maxReplyLength" | "replyPattern">,
  bytes: Uint8Array,
): boolean {
  if (bytes.length < minReplyLength || bytes.length > maxReplyLength) return false;
  const digits = bytes.toHex();
  return [...(replyPattern ?? "")].every(
    (digit, index) => digits[index] !== undefined && (digit === "x" || digit === digits[index]),
  );
}
