/** fast-check generators that more than one test uses. */

import fc from "fast-check";
import { ipv4FromBytes, ipv6FromBytes } from "../../src/base/ip.ts";
import { macFromBytes } from "../../src/base/mac.ts";

export const ipv4Addresses = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => ipv4FromBytes(bytes));
export const ipv6Addresses = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => ipv6FromBytes(bytes));
export const macAddresses = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => macFromBytes(bytes));

/** A record with the ordinary prototype, so that it can be compared with what a decoder made. */
export const plainRecord = <T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;
