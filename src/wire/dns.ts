/**
 * DNS messages as a health check needs them (RFC 1035 §4.1): a query with one question, and the header of an answer.
 *
 * Names are presentation text without escapes. Resource records are not taken apart.
 */

import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { fail, ok, type Result } from "../base/result.ts";

const HEADER_BYTES = 12;
const LONGEST_LABEL = 63;
const LONGEST_NAME = 255;
const CLASS_IN = 1;

const flag = { response: 0x8000, truncated: 0x0200, recursionDesired: 0x0100 } as const;

/** Numbers of RFC 1035 §3.2.2 and RFC 3596. */
export const DNS_TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28 } as const;

export interface DnsHeader {
  /** 16 bits. */
  readonly id: number;
  readonly response: boolean;
  readonly truncated: boolean;
  /** 4 bits: 0 is no error, 2 a failure of the server, 3 no such name. */
  readonly rcode: number;
  readonly questions: number;
  readonly answers: number;
}

/** Asks with recursion desired, as keepalived does. `.` is the root. */
export function encodeDnsQuery(id: number, name: string, type: number): Result<Uint8Array, "label" | "name"> {
  const writer = new ByteWriter(HEADER_BYTES + name.length + 6).u16(id).u16(flag.recursionDesired).u16(1).zeros(6);
  const labels = name === "." || name === "" ? [] : name.replace(/\.$/, "").split(".");
  for (const label of labels) {
    const bytes = new TextEncoder().encode(label);
    if (bytes.length === 0 || bytes.length > LONGEST_LABEL) return fail("label");
    writer.u8(bytes.length).put(bytes);
  }
  writer.u8(0);
  if (writer.length - HEADER_BYTES > LONGEST_NAME) return fail("name");
  return ok(writer.u16(type).u16(CLASS_IN).done());
}

export function decodeDnsHeader(bytes: Uint8Array): Result<DnsHeader, "truncated"> {
  const reader = new ByteReader(bytes);
  const id = reader.u16();
  const flags = reader.u16();
  const questions = reader.u16();
  const answers = reader.u16();
  if (bytes.length < HEADER_BYTES) return fail("truncated");
  return ok({
    id,
    response: (flags & flag.response) !== 0,
    truncated: (flags & flag.truncated) !== 0,
    rcode: flags & 0x000f,
    questions,
    answers,
  });
}
