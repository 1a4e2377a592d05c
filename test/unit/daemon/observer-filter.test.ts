/** The observer's kernel filter, run here by the rules of classic BPF: what comes through, and what never does. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type IpAddress, ipToBytes, parseIp } from "../../../src/base/ip.ts";
import type { MacAddress } from "../../../src/base/mac.ts";
import { observerFilter } from "../../../src/daemon/vrrp/observer-filter.ts";
import type { FilterInstruction } from "../../../src/sys/packet-socket.ts";
import { addressProbeFrame } from "../../../src/wire/address-probe.ts";
import { decodeArp, encodeArp, gratuitousArpFrame } from "../../../src/wire/arp.ts";
import { decodeEthernet, encodeEthernet } from "../../../src/wire/ethernet.ts";
import { encodeIpv4 } from "../../../src/wire/ipv4.ts";
import { decodeIpv6, encodeIpv6 } from "../../../src/wire/ipv6.ts";
import { ip } from "../../support/vrrp-configuration.ts";

const MAC = "02:00:00:00:00:09" as MacAddress;

/** Documentation/networking/filter.rst, as far as the filter goes; a load behind the end returns 0, as in the kernel. */
function passes(program: readonly FilterInstruction[], frame: Uint8Array, vlan = 0): boolean {
  let [a, x] = [0, 0];
  const load = (offset: number, size: number): number | undefined => {
    if (offset + size > frame.length) return undefined;
    return frame.subarray(offset, offset + size).reduce((sum, byte) => sum * 256 + byte, 0);
  };
  for (let at = 0; at < program.length; at++) {
    const [code, jt, jf, k] = program[at] ?? [0x06, 0, 0, 0];
    let value: number | undefined = 0;
    switch (code) {
      case 0x20:
        value = k === 0xffff_f030 ? vlan : load(k, 4);
        a = value ?? 0;
        break;
      case 0x28:
        value = load(k, 2);
        a = value ?? 0;
        break;
      case 0x30:
        value = load(k, 1);
        a = value ?? 0;
        break;
      case 0x48:
        value = load(x + k, 2);
        a = value ?? 0;
        break;
      case 0x50:
        value = load(x + k, 1);
        a = value ?? 0;
        break;
      case 0xb1:
        value = load(k, 1);
        x = ((value ?? 0) & 0xf) * 4;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        at += a === k ? jt : jf;
        break;
      case 0x45:
        at += (a & k) !== 0 ? jt : jf;
        break;
      case 0x06:
        return k !== 0;
      default:
        assert.fail(`instruction ${code}`);
    }
    if (value === undefined) return false;
  }
  return assert.fail("it ran off its end");
}

const address = (text: string): IpAddress => {
  const found = parseIp(text);
  assert.ok(found !== undefined);
  return found;
};
const VIPS = ["10.9.0.50", "10.9.0.51", "2001:db8::50"].map(address);
const filter = observerFilter(VIPS);

const ipv4 = (protocol: number, payload: Uint8Array, more: { options?: Uint8Array; flagsAndOffset?: number } = {}) =>
  encodeEthernet({
    destination: MAC,
    source: MAC,
    etherType: 0x0800,
    payload: encodeIpv4({
      typeOfService: 0,
      identification: 0,
      flagsAndOffset: 0,
      timeToLive: 255,
      protocol,
      source: ip("10.9.0.2"),
      destination: ip("224.0.0.18"),
      options: new Uint8Array(0),
      payload,
      ...more,
    }),
  });
const ipv6 = (nextHeader: number, payload: Uint8Array) =>
  encodeEthernet({
    destination: MAC,
    source: MAC,
    etherType: 0x86dd,
    payload: encodeIpv6({
      trafficClass: 0,
      flowLabel: 0,
      nextHeader,
      hopLimit: 255,
      source: "fe80::2" as never,
      destination: "ff02::1" as never,
      payload,
    }),
  });
const advertisement = (target: string, type = 136) =>
  ipv6(58, Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0, ...ipToBytes(address(target))));
const unreachable = (inner: number, code = 2) =>
  Uint8Array.of(3, code, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, inner, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2);

test("VRRP and authentication headers come through, of both families", () => {
  for (const protocol of [112, 51]) {
    assert.ok(passes(filter, ipv4(protocol, new Uint8Array(20))));
    assert.ok(passes(filter, ipv6(protocol, new Uint8Array(24))));
  }
});

test("claims to the watched addresses come through, and no others", () => {
  assert.ok(passes(filter, gratuitousArpFrame(MAC, ip("10.9.0.50"))));
  assert.ok(passes(filter, gratuitousArpFrame(MAC, ip("10.9.0.51"))));
  assert.ok(!passes(filter, gratuitousArpFrame(MAC, ip("10.9.0.52"))));
  assert.ok(passes(filter, advertisement("2001:db8::50")));
  assert.ok(!passes(filter, advertisement("2001:db8::51")));
  assert.ok(!passes(filter, advertisement("2001:db8::50", 135)));
});

test("a client that asks for a watched address is nobody's business", () => {
  const question = encodeArp({
    operation: 1,
    senderMac: MAC,
    senderIp: ip("10.9.0.77"),
    targetMac: MAC,
    targetIp: ip("10.9.0.50"),
  });
  assert.ok(!passes(filter, encodeEthernet({ destination: MAC, source: MAC, etherType: 0x0806, payload: question })));
});

test("of ICMP only a refusal of VRRP comes through, also behind options and never from a fragment's middle", () => {
  assert.ok(passes(filter, ipv4(1, unreachable(112))));
  assert.ok(passes(filter, ipv4(1, unreachable(112), { options: new Uint8Array(8) })));
  assert.ok(!passes(filter, ipv4(1, unreachable(17))));
  assert.ok(!passes(filter, ipv4(1, unreachable(112, 3))));
  assert.ok(!passes(filter, ipv4(1, unreachable(112), { flagsAndOffset: 1 })));
});

test("ordinary traffic, frames of a VLAN and frames that are cut never come through", () => {
  for (const protocol of [6, 17, 1, 89]) assert.ok(!passes(filter, ipv4(protocol, new Uint8Array(60))));
  for (const protocol of [6, 17, 58]) assert.ok(!passes(filter, ipv6(protocol, new Uint8Array(60))));
  assert.ok(!passes(filter, ipv4(112, new Uint8Array(20)), 1));
  for (let length = 0; length < 24; length++)
    assert.ok(!passes(filter, ipv4(112, new Uint8Array(20)).subarray(0, length)));
  assert.ok(
    !passes(filter, encodeEthernet({ destination: MAC, source: MAC, etherType: 0x88cc, payload: new Uint8Array(50) })),
  );
});

test("a thousand addresses fit into a program that the kernel takes, and all of them are watched", () => {
  const many = Array.from({ length: 1_000 }, (_, n) => address(`10.8.${n >> 8}.${n & 255}`));
  const large = observerFilter(many);
  assert.ok(large.length <= 4_096);
  for (const one of many) assert.ok(passes(large, gratuitousArpFrame(MAC, one as never)));
  assert.ok(passes(large, ipv6(112, new Uint8Array(24))), "what stands behind them is still reached");
});

test("a probe asks for the address and claims none", () => {
  const arp = decodeEthernet(addressProbeFrame(MAC, ip("10.9.0.50")));
  assert.ok(arp.ok);
  assert.equal(arp.value.destination, "ff:ff:ff:ff:ff:ff");
  const asked = decodeArp(arp.value.payload);
  assert.deepEqual(asked.ok && [asked.value.operation, asked.value.senderIp, asked.value.targetIp], [
    1,
    "0.0.0.0",
    "10.9.0.50",
  ]);
  assert.ok(!passes(filter, addressProbeFrame(MAC, ip("10.9.0.50"))), "its echo is no claim");

  const solicitation = decodeEthernet(addressProbeFrame(MAC, address("2001:db8::12:3456")));
  assert.ok(solicitation.ok);
  assert.equal(solicitation.value.destination, "33:33:ff:12:34:56");
  const packet = decodeIpv6(solicitation.value.payload);
  assert.ok(packet.ok);
  const { source, destination, hopLimit, payload } = packet.value;
  assert.deepEqual([source, destination, hopLimit, payload[0]], ["::", "ff02::1:ff12:3456", 255, 135]);
});
