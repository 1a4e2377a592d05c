/** DNS_CHECK: one question by UDP; an answer with rcode 0 to it is up. */

import { randomInt } from "node:crypto";
import type { CheckConnection, DnsRecordType } from "../../../config/model/virtual-server.ts";
import { connectDatagram } from "../../../sys/outgoing.ts";
import { DNS_TYPES, decodeDnsHeader, encodeDnsQuery } from "../../../wire/dns.ts";
import { type Abort, begin, type Report, wordsOf } from "./attempt.ts";

const ERRNO = { ECONNREFUSED: "111 (Connection refused)", EHOSTUNREACH: "113 (No route to host)" } as const;

export function probeDns(
  check: { readonly connection: CheckConnection; readonly recordType: DnsRecordType; readonly name: string },
  report: Report,
): Abort {
  return begin(report, (attempt) => {
    const { connection } = check;
    const id = randomInt(0x1_0000);
    const query = encodeDnsQuery(id, check.name, DNS_TYPES[check.recordType]);
    if (!query.ok) throw new Error(`${check.name} is no name to ask for`);
    const socket = connectDatagram(connection);
    attempt.afterwards(() => socket.close());
    attempt.deadline(connection.timeout, () => attempt.fail("no answer", "read timeout"));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const errno = ERRNO[error.code as keyof typeof ERRNO] ?? error.code;
      attempt.fail(wordsOf(error), `failed to read socket; errno ${errno}`);
    });
    socket.once("connect", () => socket.send(query.value));
    // Anything else than the answer to this question may be late, or somebody's attempt: it is waited on.
    socket.on("message", (bytes) => {
      const header = decodeDnsHeader(bytes);
      if (!header.ok || header.value.id !== id || !header.value.response) return;
      const { rcode } = header.value;
      if (rcode === 0) attempt.pass("rcode 0");
      else attempt.fail(`rcode ${rcode}`, `read error occurred. rcode = ${rcode}`);
    });
  });
}
