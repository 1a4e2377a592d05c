import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import { removalsOf } from "../../../src/daemon/vrrp/host-routes.ts";
import {
  routeKey,
  routeMessage,
  ruleKey,
  ruleMessage,
  staticAssignment,
  virtualAssignment,
} from "../../../src/daemon/vrrp/kernel-requests.ts";
import { virtualMac } from "../../../src/daemon/vrrp/macvlans.ts";
import { buildRoute, parseRoute } from "../../../src/wire/netlink-route.ts";
import { buildRule, parseRule } from "../../../src/wire/netlink-rule.ts";
import { addressOf, route, rule, vip } from "../../support/vrrp-configuration.ts";

const index = (name: string) => (name === "eth0" ? 2 : undefined);

test("an IPv6 virtual address is never preferred unless the file says so, and then no longer than it is valid", () => {
  const preferred = (more: Parameters<typeof vip>[1]) =>
    virtualAssignment(vip("2001:db8::1", more), 2, seconds(4)).preferredLifetime;
  assert.equal(preferred({}), 0);
  assert.equal(preferred({ preferredLifetime: "forever" }), 4);
  assert.equal(preferred({ preferredLifetime: seconds(3) }), 3);
  assert.equal(preferred({ preferredLifetime: seconds(60) }), 4);
  assert.equal(virtualAssignment(vip("10.0.0.1"), 2, seconds(4)).preferredLifetime, 4);
});

test("an address takes its flags, scope and peer along; a static one stays, and looks for duplicates unless told not to", () => {
  const address = vip("2001:db8::1", {
    flags: ["home", "mngtmpaddr", "noprefixroute", "autojoin"],
    scope: "link",
    peer: addressOf("2001:db8::2"),
  });
  const assignment = staticAssignment(address, 2);
  assert.equal(assignment.flags, 0x10 | 0x100 | 0x200 | 0x400);
  assert.equal(assignment.scope, 253);
  assert.equal(assignment.peer, "2001:db8::2");
  assert.equal(assignment.validLifetime, "forever");
  assert.equal(assignment.preferredLifetime, "forever");
  assert.equal(assignment.detectDuplicates, true);
  assert.equal(staticAssignment({ ...address, nodad: true }, 2).detectDuplicates, false);
});

test("a route that names an interface which is not there cannot be asked for", () => {
  assert.equal(routeMessage(route("10.0.0.0/8", { interface: "eth9" }), index), undefined);
  const nextHops = [{ via: undefined, interface: "eth9", weight: 1, onlink: false }];
  assert.equal(routeMessage(route("10.0.0.0/8", { nextHops }), index), undefined);
});

test("a route without a scope gets the one that iproute2 gives it", () => {
  const scope = (more: Parameters<typeof route>[1], to = "10.0.0.0/8") => routeMessage(route(to, more), index)?.scope;
  assert.equal(scope({}), 253);
  assert.equal(scope({ via: addressOf("10.9.0.2") }), 0);
  assert.equal(scope({ type: "local" }), 254);
  assert.equal(scope({ type: "blackhole", interface: undefined }), 0);
  assert.equal(scope({ scope: 0 }), 0);
  assert.equal(scope({}, "2001:db8::/32"), 0);
});

test("a route and a rule are known again in what the kernel says of them", () => {
  const routes = [
    route("0.0.0.0/0", { via: addressOf("10.9.0.2"), table: 1000 }),
    route("10.0.0.0/8", { metric: 7, typeOfService: 8 }),
    route("2001:db8::/32", {}),
    route("10.0.0.0/8", { nextHops: [{ via: addressOf("fe80::1"), interface: "eth0", weight: 256, onlink: true }] }),
  ];
  for (const one of routes) {
    const asked = routeMessage(one, index);
    assert.ok(asked);
    const said = parseRoute(buildRoute({ ...asked, priority: asked.family === 10 ? 1024 : asked.priority }));
    assert.ok(said);
    assert.equal(routeKey(said), routeKey(asked));
  }
  const asked = ruleMessage(
    rule("10.0.0.1", 1000, { mark: { value: 1, mask: 0xff }, not: true, incomingInterface: "eth0" }),
  );
  const said = parseRule(buildRule({ ...asked, priority: 32_765 }));
  assert.ok(said);
  assert.equal(ruleKey(said, false), ruleKey(asked, false));
  assert.notEqual(ruleKey(said, true), ruleKey(said, false));
});

/** What the filter answers for a message whose type and route protocol are these: true when it passes. */
function passes(protocols: readonly number[], type: number, protocol: number): boolean {
  const bytes = new Uint8Array(28);
  new DataView(bytes.buffer).setUint16(4, type, true);
  bytes[21] = protocol;
  const program = removalsOf(protocols);
  let a = 0;
  for (let at = 0; ; at++) {
    const [code, jt, jf, k] = program[at] ?? assert.fail("it runs past its end");
    if (code === 0x28) a = new DataView(bytes.buffer).getUint16(k);
    else if (code === 0x30) a = bytes[k] ?? 0;
    else if (code === 0x15) at += a === k ? jt : jf;
    else return k !== 0;
  }
}

test("of routes only removals of our protocols wake the process, of rules all removals", () => {
  for (const protocols of [[18], [18, 4], [18, 4, 200]]) {
    for (const protocol of protocols) assert.ok(passes(protocols, 25, protocol));
    assert.ok(!passes(protocols, 25, 186));
    assert.ok(!passes(protocols, 24, 18));
    assert.ok(passes(protocols, 33, 0));
    assert.ok(!passes(protocols, 32, 0));
  }
});

test("a virtual router's MAC address has its family and id in it", () => {
  assert.equal(virtualMac({ family: "ipv4", virtualRouterId: 51 }), "00:00:5e:00:01:33");
  assert.equal(virtualMac({ family: "ipv6", virtualRouterId: 255 }), "00:00:5e:00:02:ff");
});
