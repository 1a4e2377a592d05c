import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { IpAddress, Ipv4Address } from "../../../src/base/ip.ts";
import { ipv4FromBytes, ipv6FromBytes } from "../../../src/base/ip.ts";
import { type MacAddress, macFromBytes } from "../../../src/base/mac.ts";
import {
  type AddressMessage,
  buildAddress,
  IFA_F_NODAD,
  IFA_F_PERMANENT,
  type Lifetime,
  parseAddress,
} from "../../../src/wire/netlink-address.ts";
import {
  buildLink,
  IFF_LOWER_UP,
  IFF_RUNNING,
  IFF_UP,
  type LinkMessage,
  parseLink,
} from "../../../src/wire/netlink-link.ts";
import { buildNeighbour, type NeighbourMessage, parseNeighbour } from "../../../src/wire/netlink-neighbour.ts";
import { buildRoute, type NextHop, parseRoute, type RouteMessage } from "../../../src/wire/netlink-route.ts";
import { parseRule } from "../../../src/wire/netlink-rule.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));

const u8 = fc.nat(0xff);
const u32 = fc.nat(0xffff_ffff);
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => ipv4FromBytes(bytes));
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => ipv6FromBytes(bytes));
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => macFromBytes(bytes));
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
/** Types that no codec here gives a field. */
const otherAttributes = fc.array(
  fc
    .tuple(fc.integer({ min: 100, max: 0x3fff }), fc.uint8Array({ maxLength: 12 }))
    .map(([type, value]) => ({ type, value })),
  { maxLength: 3 },
);
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true }) as fc.Arbitrary<T>;

const anyLink = record<LinkMessage>({
  family: u8,
  hardwareType: fc.nat(0xffff),
  index: fc.nat(0x7fff_ffff),
  flags: u32,
  changeMask: u32,
  name: optional(fc.string({ unit: "grapheme-ascii", maxLength: 15 })),
  mac: optional(mac),
  mtu: optional(u32),
  lowerIndex: optional(u32),
  masterIndex: optional(u32),
  operationalState: optional(u8),
  otherAttributes,
});

const lifetime: fc.Arbitrary<Lifetime> = fc.oneof(fc.nat(0xffff_fffe), fc.constant("forever" as const));
const addressIn = (family: number, ip: fc.Arbitrary<IpAddress>) =>
  record<AddressMessage>({
    family: fc.constant(family),
    prefixLength: u8,
    scope: u8,
    interfaceIndex: u32,
    flags: u32,
    local: optional(ip),
    address: optional(ip),
    label: optional(fc.string({ unit: "grapheme-ascii", maxLength: 15 })),
    broadcast: optional(ip),
    lifetimes: optional(record({ valid: lifetime, preferred: lifetime })),
    protocol: optional(u8),
    otherAttributes,
  });
const anyAddress = fc.oneof(addressIn(2, ipv4), addressIn(10, ipv6));

const neighbourIn = (family: number, ip: fc.Arbitrary<IpAddress>) =>
  record<NeighbourMessage>({
    family: fc.constant(family),
    interfaceIndex: fc.nat(0x7fff_ffff),
    state: fc.nat(0xffff),
    flags: u8,
    type: u8,
    address: optional(ip),
    mac: optional(mac),
    otherAttributes,
  });
const anyNeighbour = fc.oneof(neighbourIn(2, ipv4), neighbourIn(10, ipv6));

const routeIn = (family: number, ip: fc.Arbitrary<IpAddress>) =>
  record<RouteMessage>({
    family: fc.constant(family),
    destinationLength: u8,
    sourceLength: u8,
    tos: u8,
    table: u32,
    protocol: u8,
    scope: u8,
    type: u8,
    flags: u32,
    destination: optional(ip),
    gateway: optional(fc.oneof(ipv4, ipv6)),
    preferredSource: optional(ip),
    interfaceIndex: optional(u32),
    priority: optional(u32),
    otherAttributes,
  });
const anyRoute = fc.oneof(routeIn(2, ipv4), routeIn(10, ipv6));

test("links come back as they were built", () => {
  fc.assert(fc.property(anyLink, (link) => assert.deepEqual(parseLink(buildLink(link)), link)));
});
test("addresses come back as they were built", () => {
  fc.assert(fc.property(anyAddress, (address) => assert.deepEqual(parseAddress(buildAddress(address)), address)));
});
test("neighbours come back as they were built", () => {
  fc.assert(
    fc.property(anyNeighbour, (neighbour) => assert.deepEqual(parseNeighbour(buildNeighbour(neighbour)), neighbour)),
  );
});
test("routes come back as they were built", () => {
  fc.assert(fc.property(anyRoute, (route) => assert.deepEqual(parseRoute(buildRoute(route)), route)));
});

const anyHop = record<NextHop>({
  gateway: optional(fc.oneof(ipv4, ipv6)),
  interfaceIndex: u32,
  weight: fc.integer({ min: 1, max: 256 }),
  flags: u8,
});
test("routes over several ways and with an MTU come back as they were built", () => {
  const more = fc.record({ mtu: u32, nextHops: fc.array(anyHop, { minLength: 1, maxLength: 4 }) });
  fc.assert(
    fc.property(anyRoute, more, (route, { mtu, nextHops }) => {
      const whole = { ...route, mtu, nextHops };
      assert.deepEqual(parseRoute(buildRoute(whole)), whole);
    }),
  );
});

test("any bytes at all are parsed without an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      for (const parse of [parseLink, parseAddress, parseNeighbour, parseRoute, parseRule]) parse(bytes);
    }),
  );
});

test("well-formed attributes with values of the wrong length stay, unread", () => {
  const attribute = (type: number) => hex(`0600 ${type.toString(16).padStart(2, "0")}00 ffff0000`);
  for (let type = 1; type < 64; type++) {
    const bytes = attribute(type);
    const parsed = [
      parseLink(new Uint8Array([...new Uint8Array(16), ...bytes])),
      parseAddress(new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, ...bytes])),
      parseNeighbour(new Uint8Array([2, ...new Uint8Array(11), ...bytes])),
      parseRoute(new Uint8Array([2, ...new Uint8Array(11), ...bytes])),
    ];
    for (const value of parsed) assert.ok(value);
    const [link, ...others] = parsed;
    // Names and labels are text of any length.
    if (type !== 3) {
      for (const value of [link, ...others]) assert.deepEqual(value?.otherAttributes, [{ type, value: hex("ffff") }]);
    }
  }
});

test("a payload shorter than the fixed part, or cut within an attribute, is not parsed", () => {
  const address = hex("02188000 02000000 08000100 0a000064");
  for (let length = 0; length < 8; length++) assert.equal(parseAddress(address.subarray(0, length)), undefined);
  assert.ok(parseAddress(address.subarray(0, 8)));
  for (let length = 12; length < 16; length++) assert.equal(parseAddress(address.subarray(0, length)), undefined);
  assert.equal(parseLink(new Uint8Array(15)), undefined);
  assert.equal(parseNeighbour(new Uint8Array(11)), undefined);
  assert.equal(parseRoute(new Uint8Array(11)), undefined);
});

test("the kernel's message about a veth in a bridge is read", () => {
  // Linux 6.18, shortened to the attributes up to the hardware address.
  const payload = hex(
    `0000 0100 03000000 03100000 00000000
     0900 0300 6574683000 000000  0800 0d00 e8030000  0500 1000 03 000000  0800 0400 dc050000
     0800 0500 02000000  0800 0a00 04000000  0a00 0100 020000000001 0000`,
  );
  assert.deepEqual(parseLink(payload), {
    family: 0,
    hardwareType: 1,
    index: 3,
    flags: 0x1003,
    changeMask: 0,
    name: "eth0",
    mac: "02:00:00:00:00:01",
    mtu: 1500,
    lowerIndex: 2,
    masterIndex: 4,
    operationalState: 3,
    otherAttributes: [{ type: 13, value: hex("e8030000") }],
  });
});

test("up, running and lower-up are the kernel's bits", () => {
  const link = parseLink(hex("0000 0403 01000000 49000100 00000000"));
  assert.equal(link?.flags, IFF_UP | 0x8 | IFF_RUNNING | IFF_LOWER_UP);
});

test("the kernel's message about an IPv4 address with another end is read", () => {
  // Linux 6.18.
  const payload = hex(
    `021e8000 03000000 08000100 0a010102 08000200 0a010101 09000300 6574683000000000 08000800 80000000
     14000600 ffffffff ffffffff d7a30300 d7a30300`,
  );
  assert.deepEqual(parseAddress(payload), {
    family: 2,
    prefixLength: 30,
    scope: 0,
    interfaceIndex: 3,
    flags: IFA_F_PERMANENT,
    local: "10.1.1.1",
    address: "10.1.1.2",
    label: "eth0",
    broadcast: undefined,
    lifetimes: { valid: "forever", preferred: "forever" },
    protocol: undefined,
    otherAttributes: [],
  });
});

test("the kernel's message about an IPv6 address is read", () => {
  // Linux 6.18.
  const payload = hex(
    `0a408200 03000000 14000100 20010db8000000000000000000000001
     14000600 ffffffff ffffffff d7a30300 d7a30300 08000800 82000000`,
  );
  const address = parseAddress(payload);
  assert.equal(address?.address, "2001:db8::1");
  assert.equal(address?.local, undefined);
  assert.equal(address?.flags, IFA_F_PERMANENT | IFA_F_NODAD);
});

test("an address to add is the bytes that the kernel expects", () => {
  const bytes = buildAddress({
    family: 2,
    prefixLength: 24,
    scope: 0,
    interfaceIndex: 3,
    flags: 0,
    local: "10.0.0.100" as Ipv4Address,
    address: "10.0.0.100" as Ipv4Address,
    label: "eth0:vip",
    broadcast: "10.0.0.255" as Ipv4Address,
    lifetimes: { valid: 90, preferred: 30 },
    protocol: 18,
    otherAttributes: [],
  });
  assert.deepEqual(
    bytes,
    hex(
      `02180000 03000000 08000100 0a000064 08000200 0a000064 08000400 0a0000ff
       0d000300 657468303a766970 00000000 08000800 00000000 14000600 1e000000 5a000000 00000000 00000000
       05000b00 12000000`,
    ),
  );
});

test("the kernel's message about a neighbour is read", () => {
  // Linux 6.18.
  const payload = hex(
    `02000000 03000000 8000 00 01 08000100 0a000009 0a000200 020000000009 0000
     08000400 00000000 14000300 00000000000000000000000000000000`,
  );
  const neighbour = parseNeighbour(payload);
  assert.equal(neighbour?.address, "10.0.0.9");
  assert.equal(neighbour?.mac, "02:00:00:00:00:09" as MacAddress);
  assert.equal(neighbour?.state, 0x80, "NUD_PERMANENT");
  assert.equal(neighbour?.interfaceIndex, 3);
});

test("the kernel's message about a route is read", () => {
  // Linux 6.18.
  const payload = hex(
    `02 1e 00 00 fe 02 fd 01 10000000 08000f00 fe000000 08000100 0a010100 08000700 0a010101 08000400 03000000`,
  );
  assert.deepEqual(parseRoute(payload), {
    family: 2,
    destinationLength: 30,
    sourceLength: 0,
    tos: 0,
    table: 254,
    protocol: 2,
    scope: 253,
    type: 1,
    flags: 0x10,
    destination: "10.1.1.0",
    gateway: undefined,
    preferredSource: "10.1.1.1",
    interfaceIndex: 3,
    priority: undefined,
    otherAttributes: [],
  });
});
