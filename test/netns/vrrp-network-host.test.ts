/** What the vrrp process puts on its host besides addresses, who takes it away, and what it finds of an earlier run. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Ipv6Address } from "../../src/base/ip.ts";
import type { MacAddress } from "../../src/base/mac.ts";
import { milliseconds } from "../../src/base/time.ts";
import type { VrrpInstance } from "../../src/config/model/vrrp.ts";
import { putAddress } from "../../src/sys/addresses.ts";
import { readInterfaces } from "../../src/sys/interfaces.ts";
import { Netlink } from "../../src/sys/netlink.ts";
import type { TestNode } from "../support/namespace.ts";
import { peerPath } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { AgentLan, addressesOf, has } from "../support/vrrp-agent.ts";
import { addressOf, configuration, instance, ip, route, rule, vip } from "../support/vrrp-configuration.ts";

const VIP = "10.9.0.50";
const fast = (more: Partial<VrrpInstance> = {}) =>
  instance({ version: 3, advertInterval: milliseconds(100), priority: 200, ...more });

const routes = (node: TestNode, ...what: string[]) =>
  node.run("ip", "route", "show", "table", "all", "proto", "18", ...what);
const lines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

test("a master has its routes and rules, and nothing of them stays when it stops", async () => {
  await using lan = await AgentLan.start();
  const virtualRoutes = [
    route("10.80.0.0/24", { interface: undefined, via: addressOf("10.9.0.2"), source: ip(VIP) }),
    route("10.81.0.0/24", { metric: 5, mtu: 1400, scope: 0 }),
    route("10.82.0.0/24", {
      interface: undefined,
      nextHops: [
        { via: addressOf("10.9.0.2"), interface: "eth0", weight: 1, onlink: false },
        { via: addressOf("10.9.0.9"), interface: undefined, weight: 3, onlink: false },
      ],
    }),
    route("10.83.0.0/24", { type: "blackhole", interface: undefined, table: 100 }),
    route("10.84.0.0/24", { via: addressOf("fe80::1") }),
    route("10.85.0.0/24", { via: addressOf("192.0.2.1"), onlink: true }),
  ];
  const virtualRules = [
    rule(VIP, 100, { preference: 1000 }),
    rule("10.9.0.0/24", 100, {
      preference: 1001,
      not: true,
      to: { address: ip("10.7.0.0"), length: 16 },
      incomingInterface: "eth0",
      mark: { value: 5, mask: 15 },
      typeOfService: 8,
      action: { type: "prohibit" },
    }),
  ];
  const ours = await lan.agent(lan.a, configuration([fast({ virtualRoutes, virtualRules })]));
  await ours.becomes("MASTER");
  const shown = await until("the last route", async () => {
    const text = await routes(lan.a);
    return text.includes("10.85.0.0/24") && text;
  });
  assert.deepEqual(
    lines(shown).filter((line) => !line.startsWith("nexthop")),
    [
      "blackhole 10.83.0.0/24 table 100",
      `10.80.0.0/24 via 10.9.0.2 dev eth0 src ${VIP}`,
      "10.81.0.0/24 dev eth0 metric 5 mtu 1400",
      "10.82.0.0/24",
      "10.84.0.0/24 via inet6 fe80::1 dev eth0",
      "10.85.0.0/24 via 192.0.2.1 dev eth0 onlink",
    ],
  );
  assert.deepEqual(
    lines(shown).filter((line) => line.startsWith("nexthop")),
    ["nexthop via 10.9.0.2 dev eth0 weight 1", "nexthop via 10.9.0.9 dev eth0 weight 3"],
  );
  const rules = (await lan.a.run("ip", "rule")).split("\n").filter((line) => line.startsWith("100"));
  assert.deepEqual(rules, [
    `1000:\tfrom ${VIP} lookup 100 proto keepalived`,
    "1001:\tnot from 10.9.0.0/24 to 10.7.0.0/16 tos 0x08 fwmark 0x5/0xf iif eth0 prohibit proto keepalived",
  ]);
  await ours.stop();
  assert.equal(await routes(lan.a), "");
  assert.doesNotMatch(await lan.a.run("ip", "rule"), /100[01]:/);
  assert.doesNotMatch(ours.program.output, /route-lost|cannot/);
});

test("a route or rule that somebody else takes is told to the machine, and its own removal is not", async () => {
  await using lan = await AgentLan.start();
  const virtualRoutes = [route("10.80.0.0/24"), route("2001:db8:80::/64", { via: undefined })];
  const virtualRules = [rule(VIP, 100)];
  const more = { virtualRoutes, virtualRules, onVipLoss: "restore" } as const;
  const ours = await lan.agent(lan.a, configuration([fast(more)]));
  await ours.becomes("MASTER");
  await until("the rule", async () => (await lan.a.run("ip", "rule")).includes(VIP));
  await lan.a.run("ip", "route", "del", "10.80.0.0/24");
  await ours.program.sees(/"type":"route-lost","instance":"V","what":"10.80.0.0\/24 dev eth0"/);
  await until("the route again", async () => (await routes(lan.a)).includes("10.80.0.0/24"));
  await lan.a.run("ip", "-6", "route", "del", "2001:db8:80::/64");
  await ours.program.sees(/"type":"route-lost","instance":"V","what":"2001:db8:80::\/64 dev eth0"/);
  await lan.a.run("ip", "rule", "del", "from", VIP);
  await ours.program.sees(/"type":"route-lost","instance":"V","what":"from 10.9.0.50 table 100"/);
  assert.equal(ours.program.output.match(/"type":"route-lost"/g)?.length, 3);
});

test("static addresses, routes and rules are there whoever is master, come back with their interface, and go at the end", async () => {
  await using lan = await AgentLan.start();
  await lan.a.run("ip", "addr", "add", "10.8.8.9/32", "dev", "eth0");
  const statics = {
    addresses: [vip("10.8.8.8", { prefixLength: 32 }), vip("10.8.8.9", { prefixLength: 32 }), vip("2001:db8::8")],
    routes: [
      route("10.77.0.0/24", { via: addressOf("10.9.0.2") }),
      route("10.78.0.0/24", { type: "blackhole", interface: undefined }),
    ],
    rules: [rule("10.8.8.8", 100, { preference: 16384 })],
  };
  const ours = await lan.agent(lan.a, configuration([fast({ virtualAddresses: [vip(VIP)] })], { statics }));
  const inPlace = async () => {
    const all = (await addressesOf(lan.a)).map(({ local }) => local);
    const text = await routes(lan.a);
    return all.includes("10.8.8.8") && all.includes("2001:db8::8") && text.includes("10.77.0.0/24");
  };
  assert.ok(await inPlace());
  const eight = (await addressesOf(lan.a)).find(({ local }) => local === "10.8.8.8");
  assert.ok((eight?.valid_life_time ?? 0) > 1e9, "for ever");
  await lan.a.run("ip", "link", "set", "eth0", "down");
  await lan.a.run("ip", "addr", "del", "10.8.8.8/32", "dev", "eth0");
  await lan.a.run("ip", "link", "set", "eth0", "up");
  await until("all of it again", inPlace);
  await lan.a.run("ip", "link", "set", "eth0", "down");
  await lan.a.run("ip", "addr", "del", "10.9.0.1/24", "dev", "eth0");
  await lan.a.run("ip", "link", "set", "eth0", "up");
  await ours.program.sees(/cannot add the route 10\.77\.0\.0\/24 dev eth0: netlink: ENETUNREACH/);
  await lan.a.run("ip", "addr", "add", "10.9.0.1/24", "dev", "eth0");
  await until("the route when its gateway can be reached", inPlace);
  await ours.reload(configuration([fast()], { statics: { ...statics, addresses: statics.addresses.slice(1) } }));
  assert.ok(!(await has(lan.a, "10.8.8.8")));
  await ours.stop();
  assert.ok(!(await has(lan.a, "2001:db8::8")));
  assert.ok(await has(lan.a, "10.8.8.9"), "it was there before");
  assert.equal(await routes(lan.a), "");
  assert.doesNotMatch(await lan.a.run("ip", "rule"), /16384:/);
});

test("no_accept drops what comes for the VIPs, lets neighbours find them, and ends with the router", async () => {
  await using lan = await AgentLan.start();
  const nft = (...parameters: string[]) => lan.a.run(peerPath("nft"), ...parameters);
  await nft("add table ip keepalived; add chain ip keepalived old");
  const six = fast({
    ...{ name: "W", virtualRouterId: 6, family: "ipv6", multicastGroup: "ff02::12" as Ipv6Address, accept: false },
    virtualAddresses: [vip("fe80::60"), vip("2001:db8::60")],
  });
  const open = fast({ name: "X", virtualRouterId: 7, virtualAddresses: [vip("10.9.0.70")] });
  const ours = await lan.agent(lan.a, configuration([fast({ accept: false }), six, open]));
  for (const name of ["V", "W", "X"]) await ours.becomes("MASTER", name);
  await until("the VIPs", async () => (await has(lan.a, "10.9.0.70")) && (await has(lan.a, "2001:db8::60")));
  const ping = peerPath("ping");
  await lan.client.run(ping, "-c1", "-W5", "10.9.0.70");
  for (const address of [VIP, "2001:db8::60", "fe80::60%eth0"]) {
    await assert.rejects(lan.client.run(ping, "-c1", "-W1", address), address);
    const [neighbour] = await lan.client.ipJson("neigh", "show", address.replace("%eth0", ""));
    assert.match(neighbour.lladdr, /^..:/, `${address} has a neighbour entry`);
  }
  const ruleset = await nft("list", "ruleset");
  assert.doesNotMatch(ruleset, /chain old/);
  assert.match(ruleset, /type filter hook input priority filter - 1; policy accept;\s+ip daddr @vips drop/);
  await ours.reload(configuration([fast(), six, open]));
  await lan.client.run(ping, "-c1", "-W5", VIP);
  await ours.stop();
  assert.equal(await nft("list", "ruleset"), "");
});

test("the drops of no_accept that somebody flushes are put back by and by, and by a reload at once", async () => {
  await using lan = await AgentLan.start();
  const nft = (...parameters: string[]) => lan.a.run(peerPath("nft"), ...parameters);
  const closed = configuration([fast({ accept: false })]);
  const ours = await lan.agent(lan.a, closed);
  await ours.becomes("MASTER");
  const before = await nft("list", "ruleset");
  assert.match(before, /drop/);
  await nft("flush", "ruleset");
  await ours.reload(closed);
  assert.equal(await nft("list", "ruleset"), before);
  await nft("flush", "ruleset");
  const said = ours.program.output.length;
  await until("the drops", async () => (await nft("list", "ruleset")) === before);
  await until(
    "the event",
    () => ours.program.output.indexOf('{"kind":"drops-restored","tables":["ip keepalived"]}', said) > 0,
  );
  assert.match(
    ours.program.output,
    /Putting back the nftables table ip keepalived \(no_accept\), which somebody has removed/,
  );
  await ours.stop();
  assert.equal(await nft("list", "ruleset"), "");
});

/** As a run of ours would have put it there; the iproute2 of Debian 12 cannot. */
function putMarked(node: TestNode, text: string): void {
  node.within(() => {
    const netlink = new Netlink();
    const eth0 = readInterfaces()
      .values()
      .find(({ name }) => name === "eth0");
    const address = { address: addressOf(text), prefixLength: 24, validLifetime: "forever", protocol: 18 } as const;
    putAddress(netlink, { interfaceIndex: eth0?.index ?? 0, ...address });
    netlink.close();
  });
}

test("what an earlier run has left is removed and said, and what is configured or somebody else's stays", async () => {
  await using lan = await AgentLan.start();
  const a = (...parameters: string[]) => lan.a.run("ip", ...parameters);
  for (const one of ["10.9.0.77", "10.9.0.78"]) putMarked(lan.a, one);
  await a("addr", "add", "10.9.0.79/24", "dev", "eth0");
  for (const network of ["10.70.0.0/24", "10.71.0.0/24"])
    await a("route", "add", network, "dev", "eth0", "proto", "18");
  await a("route", "add", "10.72.0.0/24", "dev", "eth0");
  await a("rule", "add", "from", "10.70.0.1", "table", "100", "pref", "700", "protocol", "18");
  await a("link", "add", "vrrp.5", "link", "eth0", "address", "00:00:5e:00:01:05", "type", "macvlan");
  const remark = "evenkeel net/ipv4/conf/eth0/arp_ignore=0 net/ipv4/conf/eth0/arp_filter=0";
  await a("link", "add", "vrrp.6", "link", "eth0", "type", "macvlan");
  await a("link", "set", "vrrp.6", "alias", remark);
  await a("link", "add", "theirs", "link", "eth0", "type", "macvlan");
  await lan.a.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_ignore");
  await lan.a.run(peerPath("nft"), "add table ip6 keepalived");
  const statics = { addresses: [vip("10.9.0.78")], routes: [route("10.71.0.0/24", { scope: 0 })], rules: [] };
  const vmac = { interface: "vrrp.5", mac: undefined, transmitOnBase: false };
  const router = fast({ vmac, virtualAddresses: [vip(VIP, { interface: "vrrp.5" })] });
  const ours = await lan.agent(lan.a, configuration([router], { statics }));
  const left = (await addressesOf(lan.a)).map(({ local }) => local).filter((one) => one.startsWith("10.9.0.7"));
  assert.deepEqual(left, ["10.9.0.78", "10.9.0.79"]);
  assert.match(await a("route"), /10\.71\.0\.0/);
  assert.match(await a("route"), /10\.72\.0\.0/);
  assert.doesNotMatch(await a("route"), /10\.70/);
  assert.doesNotMatch(await a("rule"), /700:/);
  assert.equal(await lan.a.run(peerPath("nft"), "list", "ruleset"), "");
  assert.match(ours.program.output, /Removing 10\.9\.0\.77\/24 from eth0, which an earlier run has left/);
  assert.match(ours.program.output, /Removing vrrp\.5, which an earlier run has left/);
  await ours.becomes("MASTER");
  assert.match(ours.program.output, /Removing vrrp\.6, which an earlier run has left/);
  assert.doesNotMatch(await a("link"), /vrrp\.6/);
  assert.match(await a("link"), /theirs/);
  await ours.stop();
  assert.equal((await lan.a.run("cat", "/proc/sys/net/ipv4/conf/eth0/arp_ignore")).trim(), "0");
});

test("the kernel's settings come back after a death, by the next run, but for what somebody has set since", async (t) => {
  await using lan = await AgentLan.start();
  process.env.EVENKEEL_RUN = join(lan.folder, "run");
  t.after(() => delete process.env.EVENKEEL_RUN);
  await lan.a.run("ip", "link", "add", "eth9", "type", "veth", "peer", "name", "eth8");
  const set = (path: string, value: string) => lan.a.run("sh", "-c", `echo ${value} > /proc/sys/net/ipv4/conf/${path}`);
  for (const [path, value] of Object.entries({ "all/rp_filter": "1", "eth9/rp_filter": "2" })) await set(path, value);
  const here = "cd /proc/sys/net/ipv4/conf && grep . */rp_filter */arp_* */promote_secondaries";
  const settings = async () => lines(await lan.a.run("sh", "-c", here)).filter((one) => !one.startsWith("vrrp.5/"));
  const before = await settings();
  const vmac = { interface: "vrrp.5", mac: undefined, transmitOnBase: false };
  const virtualAddresses = [vip(VIP, { interface: "vrrp.5" })];
  const router = configuration([fast({ vmac, virtualAddresses, promoteSecondaries: true })]);
  const first = await lan.agent(lan.a, router);
  await first.becomes("MASTER");
  const ours = await settings();
  assert.ok(ours.includes("all/rp_filter:0") && ours.includes("eth0/promote_secondaries:1"));
  assert.ok(ours.includes("eth0/rp_filter:1") && ours.includes("eth9/rp_filter:2"));
  await first.program.stop("SIGKILL");
  assert.deepEqual(await settings(), ours);
  await set("lo/rp_filter", "2");
  const second = await lan.agent(lan.a, router);
  await second.becomes("MASTER");
  assert.ok((await settings()).includes("all/rp_filter:0"));
  await second.stop();
  assert.deepEqual(
    await settings(),
    before.map((one) => (one.startsWith("lo/rp_filter") ? "lo/rp_filter:2" : one)),
  );
  assert.deepEqual(readdirSync(join(lan.folder, "run")), []);
});

test("a second daemon in the same place leaves what may be the first one's", async () => {
  await using lan = await AgentLan.start();
  const statics = { addresses: [vip("10.9.0.78")], routes: [route("10.71.0.0/24")], rules: [] };
  await lan.agent(lan.a, configuration([], { statics }));
  const second = await lan.agent(lan.a, configuration([fast()]));
  assert.match(second.program.output, /Warning - evenkeel \(process \d+\) runs here too: .* Stop one of them: /);
  assert.ok(await has(lan.a, "10.9.0.78"));
  assert.match(await routes(lan.a), /10\.71/);
});

test("a keepalived in the same place is warned of at the start, with the cure", async () => {
  await using lan = await AgentLan.start();
  const alone = await lan.agent(lan.a, configuration([fast()]));
  assert.doesNotMatch(alone.program.output, /runs? here too/);
  await alone.stop();
  const keepalived = join(lan.folder, "keepalived");
  symlinkSync("/bin/sleep", keepalived);
  const { pid } = lan.a.start([keepalived, "60"]);
  await until("its name", () => readFileSync(`/proc/${pid}/comm`, "utf8") === "keepalived\n");
  const ours = await lan.agent(lan.a, configuration([fast()]));
  assert.match(
    ours.program.output,
    /Warning - keepalived \(process \d+\) runs here too: .* `systemctl disable --now keepalived`/,
  );
});

test("whoever takes a VIP away is named while it runs, with what keeps it from doing so", async () => {
  await using lan = await AgentLan.start();
  const ours = await lan.agent(lan.a, configuration([fast({ onVipLoss: "restore" })]));
  await ours.becomes("MASTER");
  await until("the VIP", () => has(lan.a, VIP));
  const main = fileURLToPath(new URL("../support/remover-main.ts", import.meta.url));
  lan.a.start([process.execPath, main, "systemd-network", "eth0", VIP, "24"]);
  await ours.program.sees(/"address":"10\.9\.0\.50","present":false,"by":"systemd-networkd"/);
  await ours.program.sees(/KeepConfiguration=yes/);
  await until("it again", () => has(lan.a, VIP));
});

test("a new hardware address is announced for the VIPs at once", async () => {
  await using lan = await AgentLan.start();
  const ours = await lan.agent(lan.a, configuration([fast()]));
  await ours.becomes("MASTER");
  await lan.client.run(peerPath("ping"), "-c1", "-W5", VIP);
  await lan.a.run("ip", "link", "set", "eth0", "address", "02:00:00:00:00:77");
  await until("the client knows it", async () => {
    const [neighbour] = await lan.client.ipJson("neigh", "show", VIP);
    return neighbour?.lladdr === "02:00:00:00:00:77";
  });
});

test("a macvlan that somebody removes is made again, as by keepalived, and not when the router stops", async () => {
  await using lan = await AgentLan.start();
  const vmac = { interface: "vrrp.9", mac: undefined, transmitOnBase: false };
  const virtualAddresses = [vip(VIP, { interface: "vrrp.9" })];
  const ours = await lan.agent(lan.a, configuration([fast({ virtualRouterId: 9, vmac, virtualAddresses })]));
  for (let n = 0; n < 3; n++) {
    await until("the VIP", async () => /10\.9\.0\.50\/24 .*vrrp\.9$/m.test(await lan.a.run("ip", "addr")));
    await lan.a.run("ip", "link", "del", "vrrp.9");
    await until("it is made again", () => ours.program.output.match(/Success creating/g)?.length === n + 2);
  }
  await ours.stop();
  assert.doesNotMatch(await lan.a.run("ip", "link"), /vrrp\.9/);
  assert.doesNotMatch(ours.program.output, /cannot make/);
});

test("a macvlan is made again when its base comes back", async () => {
  await using lan = await AgentLan.start();
  const far = await lan.network.node("far");
  const plug = () =>
    lan.network.link({ node: lan.a, interface: "eth1", addresses: ["10.8.0.1/24"] }, { node: far, interface: "eth0" });
  const vmac = { interface: "vrrp.9", mac: undefined, transmitOnBase: false };
  const virtualAddresses = [vip("10.8.0.50", { interface: "vrrp.9" })];
  const router = fast({ interface: "eth1", virtualRouterId: 9, vmac, virtualAddresses });
  const ours = await lan.agent(lan.a, configuration([router]));
  for (let n = 0; n < 2; n++) {
    await plug();
    await until("the VIP", async () => /10\.8\.0\.50\/24 .*vrrp\.9$/m.test(await lan.a.run("ip", "addr")));
    await lan.a.run("ip", "link", "del", "eth1");
  }
  assert.equal(ours.program.output.match(/Success creating VMAC interface vrrp\.9/g)?.length, 2);
  await plug();
  const own = { ...vmac, mac: "02:00:00:00:00:09" as MacAddress };
  await ours.reload(configuration([{ ...router, vmac: own }]));
  await until("the VIP at the other MAC address", async () =>
    /02:00:00:00:00:09 (?:.|\n)*10\.8\.0\.50\/24 .*vrrp\.9$/m.test(
      await lan.a.run("ip", "addr", "show", "dev", "vrrp.9"),
    ),
  );
  await ours.stop();
  assert.doesNotMatch(await lan.a.run("ip", "link"), /vrrp\.9/);
});

test("an IPv6 address that another host has is none of ours, and one that is new counts when that is settled", async () => {
  await using lan = await AgentLan.start();
  await lan.a.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad");
  const ours = await lan.agent(lan.a, configuration([fast()]));
  await lan.a.run("ip", "addr", "add", "2001:db8::9/64", "dev", "eth0");
  await until("the duplicate is found", async () => (await lan.a.run("ip", "addr")).includes("dadfailed"));
  await lan.a.run("ip", "addr", "add", "2001:db8::98/64", "dev", "eth0");
  await ours.program.sees(/"address":"2001:db8::98","present":true/);
  assert.doesNotMatch(await lan.a.run("ip", "addr", "show", "to", "2001:db8::98"), /tentative/);
  assert.doesNotMatch(ours.program.output, /2001:db8::9"/);
});

test("promote_secondaries is set while we run", async () => {
  await using lan = await AgentLan.start();
  const setting = () => lan.a.run("cat", "/proc/sys/net/ipv4/conf/eth0/promote_secondaries");
  const before = await setting();
  await lan.a.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/eth0/promote_secondaries");
  const ours = await lan.agent(lan.a, configuration([fast({ promoteSecondaries: true })]));
  assert.equal(await setting(), "1\n");
  await ours.stop();
  assert.equal(await setting(), "0\n");
  assert.match(before, /^[01]\n$/);
});
