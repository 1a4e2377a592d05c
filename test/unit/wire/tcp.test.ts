import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Ipv4Address, Ipv6Address } from "../../../src/base/ip.ts";
import { decodeTcp, encodeTcp, tcpFlag } from "../../../src/wire/tcp.ts";

const [from, to] = ["192.168.1.101", "192.168.1.10"] as Ipv4Address[];

test("a SYN has the bytes and the checksum that the kernel sends", () => {
  assert.ok(from !== undefined && to !== undefined);
  const header = {
    sourcePort: 40000,
    destinationPort: 80,
    sequence: 1,
    acknowledgement: 0,
    flags: tcpFlag.syn,
    window: 64240,
  };
  const bytes = encodeTcp(from, to, header, 1460);
  assert.equal(bytes.toHex().slice(0, 32), "9c40005000000001000000006002faf0");
  assert.equal(bytes.toHex().slice(40), "020405b4");
  // RFC 1071: over the pseudo header and the segment with its checksum the sum is all ones.
  const all = [
    0xc0a8,
    0x0165,
    0xc0a8,
    0x010a,
    6,
    24,
    ...Array.from({ length: 12 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)),
  ];
  const sum = all.reduce((total, word) => total + word, 0);
  assert.equal((sum & 0xffff) + (sum >>> 16), 0xffff);
});

test("over IPv6 the checksum covers its longer addresses", () => {
  const [one, two] = ["fd00::1", "fd00::2"] as Ipv6Address[];
  assert.ok(one !== undefined && two !== undefined);
  const header = { sourcePort: 1, destinationPort: 2, sequence: 3, acknowledgement: 0, flags: tcpFlag.syn, window: 4 };
  const bytes = encodeTcp(one, two, header);
  const words = Array.from({ length: 10 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  const sum = [0xfd00, 1, 0xfd00, 2, 6, 20, ...words].reduce((total, word) => total + word, 0);
  assert.equal((sum & 0xffff) + (sum >>> 16), 0xffff);
});

test("what was encoded is decoded again", () => {
  const port = fc.nat(0xffff);
  const word = fc.nat({ max: 0xffff_ffff });
  fc.assert(
    fc.property(
      fc.record({
        sourcePort: port,
        destinationPort: port,
        sequence: word,
        acknowledgement: word,
        flags: fc.nat(0x3f),
        window: port,
      }),
      (header) => {
        assert.ok(from !== undefined && to !== undefined);
        assert.deepEqual(decodeTcp(encodeTcp(from, to, header)), { ok: true, value: { ...header } });
      },
    ),
    { numRuns: 100 },
  );
});

test("whatever the bytes are, they give a header or the reason why not", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => assert.equal(decodeTcp(bytes).ok, bytes.length >= 20)),
    { numRuns: 100 },
  );
});
