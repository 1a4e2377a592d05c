import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ipv4Address, parseIpv4 } from "../../../src/base/ip.ts";
import { type InterfaceEvent, InterfaceTable } from "../../../src/sys/interface-table.ts";
import type { NetlinkMessage } from "../../../src/wire/netlink.ts";
import { buildAddress, RTM_DELADDR, RTM_NEWADDR } from "../../../src/wire/netlink-address.ts";
import { buildLink, RTM_DELLINK, RTM_NEWLINK } from "../../../src/wire/netlink-link.ts";

const UP = 0x1043;
const UP_WITHOUT_CARRIER = 0x1003;
const DOWN = 0x1002;

const message = (type: number, payload: Uint8Array): NetlinkMessage => ({
  type,
  flags: 0,
  sequence: 0,
  port: 0,
  payload,
});

function link(index: number, name: string, flags: number, type = RTM_NEWLINK, family = 0): NetlinkMessage {
  const rest = {
    mac: undefined,
    mtu: 1500,
    lowerIndex: undefined,
    masterIndex: undefined,
    operationalState: undefined,
  };
  return message(
    type,
    buildLink({ family, hardwareType: 1, index, flags, changeMask: 0, name, ...rest, otherAttributes: [] }),
  );
}

function address(interfaceIndex: number, text: string, valid = 60, type = RTM_NEWADDR): NetlinkMessage {
  const local = parseIpv4(text) as Ipv4Address;
  const lifetimes = { valid, preferred: valid };
  const rest = { label: undefined, broadcast: undefined, protocol: undefined, otherAttributes: [] };
  return message(
    type,
    buildAddress({
      family: 2,
      prefixLength: 24,
      scope: 0,
      interfaceIndex,
      flags: 0,
      local,
      address: local,
      lifetimes,
      ...rest,
    }),
  );
}

/** One line an event. */
const lines = (events: readonly InterfaceEvent[]): string[] =>
  events.map((event) => {
    const { name, up } = event.interface;
    return "address" in event ? `${event.kind} ${name} ${event.address.address}` : `${event.kind} ${name} ${up}`;
  });

test("an interface is up when it is switched on and running", () => {
  const table = new InterfaceTable();
  assert.deepEqual(lines(table.apply(link(2, "eth0", DOWN))), ["link eth0 false"]);
  assert.deepEqual(lines(table.apply(link(2, "eth0", UP_WITHOUT_CARRIER))), ["link eth0 false"]);
  assert.deepEqual(lines(table.apply(link(2, "eth0", UP))), ["link eth0 true"]);
});

test("a message that changes nothing makes no event, and one about a bridge's port is not about the interface", () => {
  const table = new InterfaceTable();
  table.apply(link(2, "eth0", UP));
  table.apply(address(2, "10.0.0.1"));
  assert.deepEqual(table.apply(link(2, "eth0", UP)), []);
  assert.deepEqual(table.apply(address(2, "10.0.0.1")), []);
  assert.deepEqual(table.apply(link(2, "eth0", DOWN, RTM_NEWLINK, 7)), []);
  assert.deepEqual(table.apply(link(2, "eth0", DOWN, RTM_DELLINK, 7)), []);
  assert.equal(table.interfaces.get(2)?.up, true);
});

test("a renewed lifetime is an event with the address as it was before", () => {
  const table = new InterfaceTable();
  table.apply(link(2, "eth0", UP));
  table.apply(address(2, "10.0.0.1", 60));
  const [event] = table.apply(address(2, "10.0.0.1", 90));
  assert.equal(event?.kind === "address" && event.address.validLifetime, 90);
  assert.equal(event?.kind === "address" && event.previous?.validLifetime, 60);
  assert.equal(table.interfaces.get(2)?.addresses.length, 1);
});

test("an interface that vanishes loses its addresses first", () => {
  const table = new InterfaceTable();
  table.apply(link(2, "eth0", UP));
  table.apply(address(2, "10.0.0.1"));
  table.apply(address(2, "10.0.0.2"));
  assert.deepEqual(lines(table.apply(link(2, "eth0", DOWN, RTM_DELLINK))), [
    "address-removed eth0 10.0.0.1",
    "address-removed eth0 10.0.0.2",
    "link-removed eth0 true",
  ]);
  assert.equal(table.interfaces.size, 0);
});

test("a complete dump is reported as the differences to what was known", () => {
  const table = new InterfaceTable();
  for (const each of [link(1, "lo", UP), link(2, "eth0", UP), link(3, "eth1", UP)]) table.apply(each);
  for (const each of [address(2, "10.0.0.1"), address(2, "10.0.0.2"), address(3, "10.1.0.1")]) table.apply(each);
  const events = table.replace([
    link(1, "lo", UP),
    link(2, "eth0", UP_WITHOUT_CARRIER),
    link(4, "eth2", UP),
    address(2, "10.0.0.2"),
    address(2, "10.0.0.3"),
    address(4, "10.2.0.1"),
  ]);
  assert.deepEqual(lines(events), [
    "address-removed eth0 10.0.0.1",
    "address-removed eth1 10.1.0.1",
    "link-removed eth1 true",
    "link eth0 false",
    "link eth2 true",
    "address eth0 10.0.0.3",
    "address eth2 10.2.0.1",
  ]);
  assert.deepEqual([...table.interfaces.keys()], [1, 2, 4]);
});

test("what is said of an unknown interface or address, or not readable, changes nothing", () => {
  const table = new InterfaceTable();
  assert.deepEqual(table.apply(address(9, "10.0.0.1")), []);
  assert.deepEqual(table.apply(address(9, "10.0.0.1", 60, RTM_DELADDR)), []);
  assert.deepEqual(table.apply(link(9, "eth9", UP, RTM_DELLINK)), []);
  for (const type of [RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR, 9999]) {
    assert.deepEqual(table.apply(message(type, new Uint8Array(3))), []);
  }
});
