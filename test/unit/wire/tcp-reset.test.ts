import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../../src/base/ip.ts";
import { internetChecksum } from "../../../src/wire/checksum.ts";
import { decodeIpv4 } from "../../../src/wire/ipv4.ts";
import { encodeTcpReset } from "../../../src/wire/tcp-reset.ts";

const end = (text: string, port: number) => {
  const address = parseIp(text);
  assert.ok(address !== undefined);
  return { address, port };
};

test("a reset over IPv4 is a packet of 40 bytes whose checksums are right", () => {
  const source = end("10.0.0.1", 80);
  const packet = encodeTcpReset({ source, destination: end("10.2.0.1", 40_000), sequence: 0xfedc_ba98 });
  const decoded = decodeIpv4(packet);
  assert.ok(decoded.ok);
  assert.deepEqual([decoded.value.source, decoded.value.destination], ["10.0.0.1", "10.2.0.1"]);
  assert.equal(internetChecksum(packet.subarray(0, 20)), 0);
  const segment = packet.subarray(20);
  assert.deepEqual([...segment.subarray(0, 14)], [0, 80, 0x9c, 0x40, 0xfe, 0xdc, 0xba, 0x98, 0, 0, 0, 0, 0x50, 4]);
  assert.equal(internetChecksum(packet.subarray(12, 20), Uint8Array.of(0, 6, 0, 20), segment), 0);
});

test("a reset over IPv6 is a packet of 60 bytes whose checksum is right", () => {
  const destination = end("2001:db8::2", 40_000);
  const packet = encodeTcpReset({ source: end("2001:db8::1", 80), destination, sequence: 1 });
  assert.deepEqual([...packet.subarray(0, 8)], [0x60, 0, 0, 0, 0, 20, 6, 64]);
  assert.equal(packet.length, 60);
  assert.equal(internetChecksum(packet.subarray(8, 40), Uint8Array.of(0, 6, 0, 20), packet.subarray(40)), 0);
});
