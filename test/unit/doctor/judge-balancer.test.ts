import assert from "node:assert/strict";
import { test } from "node:test";
import type { IpAddress } from "../../../src/base/ip.ts";
import type { Facts, PlaneServer, RouteFacts } from "../../../src/daemon/doctor/facts.ts";
import type { Finding } from "../../../src/daemon/doctor/finding.ts";
import { judgeBalancer } from "../../../src/daemon/doctor/judge-balancer.ts";
import { facts, link, setUpReal, VIP } from "./facts.ts";

const SERVER: PlaneServer = { address: "10.0.0.30" as IpAddress, port: 80, method: "dr", weight: 1 };
const ON_LINK: RouteFacts = {
  interface: "eth0",
  local: false,
  gateway: undefined,
  mtu: undefined,
  neighbour: "REACHABLE",
};
const WITH_VIP = [link("lo", []), link("eth0", ["10.0.0.20/24", `${VIP}/32`])];

const plane = (...servers: PlaneServer[]): Facts["plane"] => ({
  services: [{ name: "TCP 10.0.0.100:80", address: VIP, servers }],
  attached: ["lo", "eth0"],
});
const judge = (given: Partial<Facts>, vips: readonly IpAddress[] = []): string[] =>
  judgeBalancer(
    facts({ interfaces: WITH_VIP, plane: plane(SERVER), routes: { "10.0.0.30": ON_LINK }, ...given }),
    vips,
  ).map(text);
const text = ({ level, subject, says }: Finding) => `${level} ${subject}: ${says}`;

test("a balancer with its VIP and a server on the link lacks nothing", () => {
  assert.deepEqual(judge({}), [
    "ok data plane: sees the packets of lo, eth0",
    "ok VIP 10.0.0.100: is on eth0",
    "ok TCP 10.0.0.100:80 -> 10.0.0.30 dr: by eth0, neighbour reachable",
  ]);
});

test("without a data plane nothing else is judged", () => {
  assert.deepEqual(judge({ plane: undefined }), [
    "note data plane: is not loaded: this host balances nothing at layer 4",
  ]);
});

test("without the rights to look, nothing is said of a data plane", () => {
  const machine = { ...facts().machine, missingCapabilities: ["CAP_NET_ADMIN"] };
  assert.deepEqual(judge({ plane: undefined, machine }), [
    "note data plane: cannot be looked at by this process, nor whether there is one",
  ]);
});

test("an interface whose packets the data plane does not see is named", () => {
  const interfaces = [...WITH_VIP, link("eth1", [])];
  assert.equal(judge({ interfaces })[0], "missing data plane: does not see the packets of eth1");
});

test("a VIP that is elsewhere is right for a standby", () => {
  assert.equal(
    judge({ interfaces: [link("eth0", ["10.0.0.20/24"])] })[1],
    "note VIP 10.0.0.100: is not on this host: right for a standby",
  );
});

test("a balancer that guards its own VIP as a real server does is told so", () => {
  assert.match(
    judge({ real: setUpReal("dr") })[1] ?? "",
    /^missing VIP 10\.0\.0\.100: is kept from this host's neighbours/,
  );
});

test("a service without servers, or with none that may be chosen, is missing something", () => {
  assert.match(judge({ plane: plane() }).at(-1) ?? "", /^missing TCP 10\.0\.0\.100:80: has no real server/);
  assert.match(
    judge({ plane: plane({ ...SERVER, weight: 0 }) })[2] ?? "",
    /^missing .*: all its real servers have weight 0/,
  );
});

test("a server of DR behind a gateway cannot be reached by its Ethernet address", () => {
  const routes = { "10.0.0.30": { ...ON_LINK, gateway: "10.0.0.1" as IpAddress } };
  assert.match(judge({ routes }).at(-1) ?? "", /^missing .*: is behind the gateway 10\.0\.0\.1: DR changes only/);
  const nat = plane({ ...SERVER, method: "nat" });
  assert.equal(
    judge({ routes, plane: nat }).at(-1),
    "ok TCP 10.0.0.100:80 -> 10.0.0.30 nat: by eth0 via 10.0.0.1, neighbour reachable",
  );
});

test("a server without a route or an answer is missing, one that was not asked yet is not", () => {
  assert.match(judge({ routes: {} }).at(-1) ?? "", /^missing .*: no route leads to it/);
  const failed = { "10.0.0.30": { ...ON_LINK, neighbour: "FAILED" } };
  assert.match(judge({ routes: failed }).at(-1) ?? "", /^missing .*: 10\.0\.0\.30 does not answer on eth0/);
  const unasked = { "10.0.0.30": { ...ON_LINK, neighbour: undefined } };
  assert.match(judge({ routes: unasked }).at(-1) ?? "", /^ok .*neighbour not asked for yet/);
});

test("a tunnel without room for a full packet is a stall to come, and says which MTU would do", () => {
  const tun = plane({ ...SERVER, method: "tun" });
  const found = judgeBalancer(facts({ interfaces: WITH_VIP, plane: tun, routes: { "10.0.0.30": ON_LINK } }), []).at(-1);
  assert.equal(found?.level, "note");
  assert.match(found?.says ?? "", /^the tunnel has room for packets of 1480 bytes, clients send up to 1500/);
  assert.match(found?.cure ?? "", /an MTU of 1520 on the way to it$/);
  const wide = { "10.0.0.30": { ...ON_LINK, mtu: 1520 } };
  assert.match(
    judge({ plane: tun, routes: wide }).at(-1) ?? "",
    /^ok .*: the tunnel has room for packets of 1500 bytes/,
  );
});

test("a VIP that is asked for and has no service is missing", () => {
  const other = "10.0.0.7" as IpAddress;
  assert.deepEqual(judge({}, [other]).slice(1), ["missing VIP 10.0.0.7: has no service here"]);
});
