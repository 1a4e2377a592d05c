import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Ipv4Address } from "../../src/base/ip.ts";
import { SystemError } from "../../src/sys/addon.ts";
import { putAddress, removeAddress } from "../../src/sys/addresses.ts";
import { type InterfaceEvent, Interfaces, readInterfaces } from "../../src/sys/interfaces.ts";
import { Netlink } from "../../src/sys/netlink.ts";
import { TestNetwork, type TestNode } from "../support/namespace.ts";
import { until } from "../support/until.ts";

const VIP = "10.0.0.100" as Ipv4Address;
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

async function pair(): Promise<{ network: TestNetwork; left: TestNode; right: TestNode }> {
  const network = new TestNetwork();
  const left = await network.node("left");
  const right = await network.node("right");
  await network.link(
    { node: left, interface: "eth0", addresses: ["10.0.0.1/24"] },
    { node: right, interface: "eth0", addresses: ["10.0.0.2/24"] },
  );
  return { network, left, right };
}

/** The node's interfaces, watched, with the events so far. */
function watch(node: TestNode): { interfaces: Interfaces; events: InterfaceEvent[] } {
  const events: InterfaceEvent[] = [];
  const interfaces = node.within(
    () =>
      new Interfaces({
        onChange: (event) => events.push(event),
        onError: (error) => assert.fail(error),
      }),
  );
  cleanups.push(() => interfaces.close());
  return { interfaces, events };
}

function netlinkOf(node: TestNode): { netlink: Netlink; eth0: number } {
  return node.within(() => {
    const netlink = new Netlink();
    cleanups.push(() => netlink.close());
    const eth0 = readInterfaces()
      .values()
      .find(({ name }) => name === "eth0");
    assert.ok(eth0);
    return { netlink, eth0: eth0.index };
  });
}

const addressesOf = async (node: TestNode) => (await node.ipJson("addr", "show", "dev", "eth0"))[0].addr_info;
const vipOf = async (node: TestNode) => (await addressesOf(node)).find(({ local }: { local: string }) => local === VIP);

test("the interfaces read are those that iproute2 shows", async () => {
  const { network, left } = await pair();
  await using _ = network;
  await left.run("ip", "link", "set", "eth0", "mtu", "1400");
  const expected = await left.ipJson("addr", "show");
  const { interfaces } = watch(left);
  const seen = Array.from(interfaces.interfaces.values(), (each) => ({
    index: each.index,
    name: each.name,
    mac: each.mac,
    mtu: each.mtu,
    addresses: each.addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`).sort(),
  }));
  // biome-ignore lint/suspicious/noExplicitAny: iproute2's JSON
  const shown = expected.map((each: any) => ({
    index: each.ifindex,
    name: each.ifname,
    mac: each.address,
    mtu: each.mtu,
    // biome-ignore lint/suspicious/noExplicitAny: iproute2's JSON
    addresses: each.addr_info.map((info: any) => `${info.local}/${info.prefixlen}`).sort(),
  }));
  assert.deepEqual(seen, shown);
  assert.equal(interfaces.byName("eth0")?.mtu, 1400);
});

test("an interface goes down when its peer is pulled, and up when it comes back", async () => {
  const { network, left, right } = await pair();
  await using _ = network;
  const { interfaces, events } = watch(left);
  await until("eth0 up", () => interfaces.byName("eth0")?.up);
  events.length = 0;
  await right.run("ip", "link", "set", "eth0", "down");
  const down = await until("an event for the lost carrier", () =>
    events.find((event) => event.kind === "link" && !event.interface.up),
  );
  assert.equal(down.kind === "link" && down.previous?.up, true);
  assert.equal(interfaces.byName("eth0")?.up, false);
  await right.run("ip", "link", "set", "eth0", "up");
  await until("eth0 up again", () => interfaces.byName("eth0")?.up);
});

test("an address added with label, broadcast, scope, lifetime and protocol appears in ip addr", async () => {
  const { network, left } = await pair();
  await using _ = network;
  const { events } = watch(left);
  const { netlink, eth0 } = netlinkOf(left);
  putAddress(netlink, {
    interfaceIndex: eth0,
    address: VIP,
    prefixLength: 32,
    label: "eth0:vip",
    broadcast: "10.0.0.255" as Ipv4Address,
    scope: 253,
    validLifetime: 90,
    preferredLifetime: 0,
    protocol: 18,
  });
  const shown = await vipOf(left);
  assert.equal(shown.prefixlen, 32);
  assert.equal(shown.label, "eth0:vip");
  assert.equal(shown.broadcast, "10.0.0.255");
  assert.equal(shown.scope, "link");
  assert.equal(shown.preferred_life_time, 0);
  assert.ok(shown.valid_life_time > 60 && shown.valid_life_time <= 90, `${shown.valid_life_time}`);
  const event = await until("its event", () =>
    events.find((each) => each.kind === "address" && each.address.address === VIP),
  );
  assert.equal(event.kind === "address" && event.address.label, "eth0:vip");
  assert.equal(event.kind === "address" && event.address.validLifetime, 90);
  assert.equal(event.kind === "address" && event.address.protocol, 18);
});

test("an address that is not renewed is removed by the kernel, and a renewed one stays", async () => {
  const { network, left } = await pair();
  await using _ = network;
  const { interfaces, events } = watch(left);
  const { netlink, eth0 } = netlinkOf(left);
  const kept = "10.0.0.101" as Ipv4Address;
  const vip = { interfaceIndex: eth0, prefixLength: 24, validLifetime: 2 } as const;
  putAddress(netlink, { ...vip, address: VIP });
  putAddress(netlink, { ...vip, address: kept });
  const renewals = setInterval(() => putAddress(netlink, { ...vip, address: kept }), 250);
  try {
    await until("the end of the address", () =>
      events.some((event) => event.kind === "address-removed" && event.address.address === VIP),
    );
  } finally {
    clearInterval(renewals);
  }
  assert.equal(await vipOf(left), undefined);
  const own = interfaces.byName("eth0")?.addresses.map(({ address }) => address);
  assert.ok(own?.includes(kept), `${own}`);
  await until("the end of the other address too", () =>
    events.some((event) => event.kind === "address-removed" && event.address.address === kept),
  );
});

test("putting an address again changes its lifetime and adds no second one", async () => {
  const { network, left } = await pair();
  await using _ = network;
  const { netlink, eth0 } = netlinkOf(left);
  const vip = { interfaceIndex: eth0, address: VIP, prefixLength: 32 };
  putAddress(netlink, { ...vip, validLifetime: 50 });
  putAddress(netlink, { ...vip, validLifetime: "forever" });
  const shown = (await addressesOf(left)).filter(({ local }: { local: string }) => local === VIP);
  assert.equal(shown.length, 1);
  assert.equal(shown[0].valid_life_time, 0xffff_ffff);
});

test("an IPv6 address is usable at once, without duplicate address detection", async () => {
  const { network, left } = await pair();
  await using _ = network;
  const { netlink, eth0 } = netlinkOf(left);
  const address = "2001:db8::100" as never;
  putAddress(netlink, { interfaceIndex: eth0, address, prefixLength: 64, validLifetime: 90, preferredLifetime: 0 });
  const shown = (await addressesOf(left)).find(({ local }: { local: string }) => local === address);
  assert.equal(shown.nodad, true);
  assert.equal(shown.tentative, undefined);
  assert.equal(removeAddress(netlink, { interfaceIndex: eth0, address, prefixLength: 64 }), true);
});

test("removing says whether the address was there", async () => {
  const { network, left } = await pair();
  await using _ = network;
  const { netlink, eth0 } = netlinkOf(left);
  const vip = { interfaceIndex: eth0, address: VIP, prefixLength: 24 };
  putAddress(netlink, { ...vip, validLifetime: "forever" });
  assert.equal(removeAddress(netlink, vip), true);
  assert.equal(removeAddress(netlink, vip), false);
  assert.equal(removeAddress(netlink, { ...vip, interfaceIndex: 9999 }), false);
  assert.equal(await vipOf(left), undefined);
});

test("a refused request names what was tried, the errno and the kernel's words", async () => {
  const { network, left } = await pair();
  await using _ = network;
  const { netlink, eth0 } = netlinkOf(left);
  const missing = { address: VIP, prefixLength: 24, validLifetime: 90, interfaceIndex: 9999 };
  assert.throws(
    () => putAddress(netlink, missing),
    (error: unknown) =>
      error instanceof SystemError &&
      error.syscall === "netlink" &&
      error.errno === 19 &&
      error.code === "ENODEV" &&
      error.tried === "add 10.0.0.100/24 to interface 9999",
  );
  assert.throws(
    () => putAddress(netlink, { ...missing, interfaceIndex: eth0, prefixLength: 33 }),
    /cannot add 10\.0\.0\.100\/33 to interface [0-9]+: netlink: EINVAL: ipv4: Invalid prefix length/,
  );
  putAddress(netlink, { ...missing, interfaceIndex: eth0 });
  assert.ok(await vipOf(left), "the socket is still usable");
});

test("when events were lost the state is read again and the differences are reported", async () => {
  const { network, left } = await pair();
  await using _ = network;
  const { interfaces, events } = watch(left);
  const { netlink, eth0 } = netlinkOf(left);
  putAddress(netlink, { interfaceIndex: eth0, address: VIP, prefixLength: 24, validLifetime: 999 });
  await until("the address", () => interfaces.byName("eth0")?.addresses.some(({ address }) => address === VIP));
  events.length = 0;
  // More events than the socket's buffer holds, in one turn of the loop, so that none is read in between.
  const count = 6_000;
  left.within(() => {
    for (let i = 0; i < count; i++) {
      putAddress(netlink, { interfaceIndex: eth0, address: VIP, prefixLength: 24, validLifetime: 1_000 + i });
    }
    removeAddress(netlink, { interfaceIndex: eth0, address: VIP, prefixLength: 24 });
    putAddress(netlink, {
      interfaceIndex: eth0,
      address: "10.0.0.7" as Ipv4Address,
      prefixLength: 24,
      validLifetime: 90,
    });
  });
  await until("the last address", () =>
    interfaces.byName("eth0")?.addresses.some(({ address }) => address === "10.0.0.7"),
  );
  assert.ok(events.length < count, "the test must overflow the buffer to show anything");
  const removed = events.filter((event) => event.kind === "address-removed" && event.address.address === VIP);
  assert.equal(removed.length, 1);
  assert.equal(
    interfaces.byName("eth0")?.addresses.some(({ address }) => address === VIP),
    false,
  );
  await left.run("ip", "addr", "add", "10.0.0.8/24", "dev", "eth0");
  await until("events after the loss", () =>
    events.some((event) => event.kind === "address" && event.address.address === "10.0.0.8"),
  );
});

test("a vanished interface takes its addresses along, and a closed watch reports nothing more", async () => {
  const { network, left } = await pair();
  await using _ = network;
  const { interfaces, events } = watch(left);
  await left.run("ip", "link", "del", "eth0");
  await until("its removal", () => events.some(({ kind }) => kind === "link-removed"));
  const kinds = events.filter(({ interface: { name } }) => name === "eth0").map(({ kind }) => kind);
  assert.ok(kinds.indexOf("address-removed") >= 0 && kinds.indexOf("address-removed") < kinds.indexOf("link-removed"));
  assert.equal(interfaces.byName("eth0"), undefined);
  interfaces.close();
  interfaces.close();
  const before = events.length;
  const { events: witness } = watch(left);
  await left.run("ip", "link", "add", "br9", "type", "bridge");
  await until("another watch to see it", () => witness.length > 0);
  assert.equal(events.length, before);
});
