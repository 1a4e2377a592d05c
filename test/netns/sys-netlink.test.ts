import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import type { Ipv4Address } from "../../src/base/ip.ts";
import { SystemError } from "../../src/sys/addon.ts";
import { readInterfaces } from "../../src/sys/interfaces.ts";
import { Netlink, NetlinkMonitor } from "../../src/sys/netlink.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../../src/wire/netlink.ts";
import {
  type NeighbourMessage,
  neighbourDumpRequest,
  parseNeighbour,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  RTNLGRP_NEIGH,
} from "../../src/wire/netlink-neighbour.ts";
import {
  buildRoute,
  parseRoute,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTN_UNICAST,
  RTPROT_STATIC,
  routeDumpRequest,
} from "../../src/wire/netlink-route.ts";
import { TestNetwork, type TestNode } from "../support/namespace.ts";
import { until } from "../support/until.ts";

const AF_INET = 2;
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

/** A node with eth0 at 10.0.0.1/24, and a netlink socket in it. */
async function node(network: TestNetwork): Promise<{ left: TestNode; netlink: Netlink; eth0: number }> {
  const left = await network.node("left");
  const right = await network.node("right");
  await network.link(
    { node: left, interface: "eth0", addresses: ["10.0.0.1/24"] },
    { node: right, interface: "eth0", addresses: ["10.0.0.2/24"] },
  );
  const [netlink, interfaces] = left.within(() => [new Netlink(), readInterfaces()]);
  cleanups.push(() => netlink.close());
  const eth0 = interfaces.values().find(({ name }) => name === "eth0");
  assert.ok(eth0);
  return { left, netlink, eth0: eth0.index };
}

test("the neighbour table is read, and its changes are heard", async () => {
  await using network = new TestNetwork();
  const { left, netlink, eth0 } = await node(network);
  const heard: { type: number; neighbour: NeighbourMessage | undefined }[] = [];
  const monitor = left.within(
    () =>
      new NetlinkMonitor([RTNLGRP_NEIGH], {
        onMessages: (messages) =>
          heard.push(...messages.map(({ type, payload }) => ({ type, neighbour: parseNeighbour(payload) }))),
        onLost: () => assert.fail("nothing is lost"),
        onError: (error) => assert.fail(error),
      }),
  );
  cleanups.push(() => monitor.close());
  await left.run("ip", "neigh", "add", "10.0.0.9", "lladdr", "02:00:00:00:00:09", "dev", "eth0", "nud", "permanent");
  const found = netlink
    .dump(RTM_GETNEIGH, neighbourDumpRequest(AF_INET), "read the neighbours")
    .map(({ payload }) => parseNeighbour(payload))
    .find((neighbour) => neighbour?.address === "10.0.0.9");
  assert.equal(found?.mac, "02:00:00:00:00:09");
  assert.equal(found?.interfaceIndex, eth0);
  assert.equal(found?.state, 0x80, "NUD_PERMANENT");
  await left.run("ip", "neigh", "del", "10.0.0.9", "dev", "eth0");
  const about = (type: number) => heard.some((each) => each.type === type && each.neighbour?.address === "10.0.0.9");
  await until("its coming and going", () => about(RTM_NEWNEIGH) && about(RTM_DELNEIGH));
});

test("a route is added, found, refused a second time and removed", async () => {
  await using network = new TestNetwork();
  const { left, netlink, eth0 } = await node(network);
  const route = buildRoute({
    family: AF_INET,
    destinationLength: 16,
    sourceLength: 0,
    tos: 0,
    table: RT_TABLE_MAIN,
    protocol: RTPROT_STATIC,
    scope: RT_SCOPE_UNIVERSE,
    type: RTN_UNICAST,
    flags: 0,
    destination: "10.7.0.0" as Ipv4Address,
    gateway: "10.0.0.2" as Ipv4Address,
    preferredSource: "10.0.0.1" as Ipv4Address,
    interfaceIndex: eth0,
    priority: 77,
    otherAttributes: [],
  });
  const add = () => netlink.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, "add a route");
  add();
  const [shown] = await left.ipJson("route", "show", "10.7.0.0/16");
  assert.deepEqual(
    { gateway: shown.gateway, dev: shown.dev, metric: shown.metric, source: shown.prefsrc, protocol: shown.protocol },
    { gateway: "10.0.0.2", dev: "eth0", metric: 77, source: "10.0.0.1", protocol: "static" },
  );
  const dump = () =>
    netlink
      .dump(RTM_GETROUTE, routeDumpRequest(AF_INET), "read the routes")
      .map(({ payload }) => parseRoute(payload))
      .filter((each) => each?.destination === "10.7.0.0");
  assert.equal(dump()[0]?.gateway, "10.0.0.2");
  assert.throws(add, (error: unknown) => error instanceof SystemError && error.code === "EEXIST");
  netlink.request(RTM_DELROUTE, 0, route, "remove a route");
  assert.deepEqual(dump(), []);
});

test("a dump larger than one datagram is read to its end", async () => {
  await using network = new TestNetwork();
  const { left, netlink } = await node(network);
  const count = 1_000;
  const text = Array.from({ length: count }, (_, i) => `route add 10.8.${i >> 8}.${i & 255}/32 via 10.0.0.2\n`).join(
    "",
  );
  await left.run("sh", "-c", `printf '${text.replaceAll("\n", "\\n")}' | ip -batch -`);
  const routes = netlink
    .dump(RTM_GETROUTE, routeDumpRequest(AF_INET), "read the routes")
    .map(({ payload }) => parseRoute(payload)?.destination)
    .filter((destination) => destination?.startsWith("10.8."));
  assert.equal(new Set(routes).size, count);
});
