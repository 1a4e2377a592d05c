/** A misconfigured keepalived 2.2.7, or a third machine, beside evenkeel: each mistake is named, with whose it is, and ends. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { DaemonEvent } from "../../src/daemon/events.ts";
import type { FindingReport } from "../../src/daemon/vrrp/observer.ts";
import type { FindingCode } from "../../src/vrrp/neighbourhood/findings.ts";
import { TestNetwork, type TestNode } from "../support/namespace.ts";
import { until } from "../support/until.ts";
import { EVENKEEL, Router, signalTree, VIP } from "../support/vrrp-pair.ts";

const execute = promisify(execFile);

interface Settings {
  readonly version?: number;
  readonly vrid?: number;
  readonly interval?: number;
  readonly password?: string;
  readonly addresses?: readonly string[];
  readonly priority?: number;
  readonly more?: readonly string[];
}

const configuration = ({
  version = 2,
  vrid = 51,
  interval = 1,
  password,
  addresses = [VIP],
  priority = 100,
  more = [],
}: Settings) =>
  `vrrp_instance VI_1 {
    interface eth0
    virtual_router_id ${vrid}
    priority ${priority}
    version ${version}
    advert_int ${interval}
${password === undefined ? "" : `    authentication {\n        auth_type PASS\n        auth_pass ${password}\n    }\n`}${more.map((line) => `    ${line}\n`).join("")}    virtual_ipaddress {
${addresses.map((one) => `        ${one}${one.includes(":") ? "/64" : "/24"}\n`).join("")}    }
}
`;

/** Ours (10.9.0.1), keepalived (10.9.0.2) and a third machine (10.9.0.3) on one LAN. */
class Neighbours implements AsyncDisposable {
  readonly ours: Router;
  readonly theirs: Router;
  readonly third: TestNode;
  readonly #network: TestNetwork;
  readonly #folder: string;

  static async meet(ours: Settings, theirs: Settings): Promise<Neighbours> {
    const network = new TestNetwork();
    const nodes = [await network.node("a"), await network.node("b"), await network.node("c")] as const;
    const port = (node: TestNode, index: number) => ({
      node,
      interface: "eth0",
      addresses: [`10.9.0.${index + 1}/24`],
    });
    const lan = await network.segment("lan", nodes.map(port));
    return new Neighbours(network, nodes, lan, ours, theirs);
  }

  private constructor(
    network: TestNetwork,
    [a, b, c]: readonly [TestNode, TestNode, TestNode],
    lan: TestNode,
    ours: Settings,
    theirs: Settings,
  ) {
    this.#network = network;
    this.#folder = mkdtempSync(join(tmpdir(), "findings-"));
    this.third = c;
    this.ours = new Router(a, "evenkeel", this.#folder, configuration(ours), lan, "p0");
    this.theirs = new Router(b, "keepalived", this.#folder, configuration(theirs), lan, "p1");
  }

  async startOurs(): Promise<void> {
    this.ours.start();
    await this.ours.program.sees(/Startup complete/);
  }

  async command(...argv: string[]): Promise<string> {
    return (await execute(EVENKEEL, [...argv, "--socket", this.ours.socket])).stdout;
  }

  async findings(): Promise<readonly FindingReport[]> {
    return JSON.parse(await this.command("status", "--json")).vrrp?.findings ?? [];
  }

  named(code: FindingCode): Promise<FindingReport> {
    return until(code, async () => (await this.findings()).find((one) => one.code === code), 30_000);
  }

  over(code: FindingCode): Promise<true> {
    const isOver = async () => !(await this.findings()).some((one) => one.code === code);
    return until(`no ${code}`, isOver, 30_000);
  }

  async events(): Promise<DaemonEvent[]> {
    const lines = (await this.command("events", "--no-follow")).trim().split("\n");
    return lines.map((line) => JSON.parse(line));
  }

  /** Keepalived gets other settings, and SIGHUP. */
  change(settings: Settings): void {
    writeFileSync(join(this.#folder, `${this.theirs.node.name}.conf`), configuration(settings));
    this.theirs.program.kill("SIGHUP");
  }

  async mac(node: TestNode): Promise<string> {
    const [link] = await node.ipJson("link", "show", "dev", "eth0");
    return link.address;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#network[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

test("another password is named with both masters, in status, events, metrics and log, and ends with it", async () => {
  await using lan = await Neighbours.meet({ password: "one" }, { password: "two" });
  // keepalived 2.2.7 puts off its own adverts whenever it refuses one.
  await drop(lan.ours.node, "output");
  lan.theirs.start();
  await lan.startOurs();
  const mac = await lan.mac(lan.theirs.node);
  const found = await lan.named("password-differs");
  assert.deepEqual(found.peer, { ip: "10.9.0.2", mac });
  assert.equal(found.severity, "error");
  assert.equal(found.text, "has another auth_pass");
  const two = await lan.named("two-masters");
  assert.equal(
    two.text,
    `is master with priority 100, and so is this host, 10.9.0.1 (${await lan.mac(lan.ours.node)}), with priority 100`,
  );
  assert.equal(two.cure, "end what keeps them apart: password-differs");
  assert.match(await lan.command("metrics"), /^evenkeel_vrrp_split_brain\{iname="VI_1",intf="eth0",vrid="51"\} 1$/m);
  assert.match(await lan.command("status"), new RegExp(`10\\.9\\.0\\.2 \\(${mac}\\) has another auth_pass`));
  assert.equal(lan.ours.program.output.match(/has another auth_pass \[password-differs\]/g)?.length, 1);
  lan.change({ password: "one" });
  await lan.ours.node.run("nft", "flush", "ruleset");
  await lan.over("password-differs");
  await lan.over("two-masters");
  const kinds = (await lan.events()).flatMap((one) => ("code" in one ? [`${one.kind} ${one.code}`] : []));
  assert.deepEqual(
    kinds.filter((one) => /password/.test(one)),
    ["finding password-differs", "finding-resolved password-differs"],
  );
});

/** A firewall that lets no VRRP pass. */
const drop = (node: TestNode, hook: "input" | "output") => node.run("nft", nft(hook));
const nft = (hook: string) =>
  `add table inet t; add chain inet t c { type filter hook ${hook} priority 0; }; add rule inet t c meta l4proto 112 drop`;

const MISTAKES: readonly [what: string, code: FindingCode, ours: Settings, theirs: Settings, text: RegExp][] = [
  [
    "authentication on one side",
    "auth-type-differs",
    { password: "one" },
    {},
    /^has no authentication, this host auth_type PASS$/,
  ],
  [
    "another version",
    "version-differs",
    { version: 3 },
    { version: 2 },
    /^speaks VRRP version 2, this host version 3$/,
  ],
  [
    "another interval in version 2",
    "interval-differs",
    { interval: 1 },
    { interval: 2 },
    /^has advert_int 2, this host 1$/,
  ],
  [
    "another list of addresses",
    "address-list-differs",
    { addresses: [VIP, "10.9.0.101"] },
    { priority: 150 },
    /^its virtual_ipaddress lacks 10\.9\.0\.101$/,
  ],
  [
    "another virtual router with the same number",
    "duplicate-vrid",
    {},
    { addresses: ["10.9.0.200"], priority: 150 },
    /^is another virtual router with the same number 51: it has 10\.9\.0\.200$/,
  ],
  [
    "the same address under another number",
    "vrid-differs",
    {},
    { vrid: 52, priority: 150 },
    /^advertises 10\.9\.0\.100 as virtual router 52, which is 51 here$/,
  ],
  [
    "unicast to a host that listens to multicast",
    "unicast-multicast-mixed",
    {},
    { more: ["unicast_peer {", "    10.9.0.1", "}"] },
    /^sends unicast to 10\.9\.0\.1, and this instance uses multicast$/,
  ],
];

for (const [what, code, ours, theirs, text] of MISTAKES) {
  test(`${what} is named`, async () => {
    await using lan = await Neighbours.meet(ours, theirs);
    lan.theirs.start();
    await lan.startOurs();
    const found = await lan.named(code);
    assert.deepEqual(found.peer, { ip: "10.9.0.2", mac: await lan.mac(lan.theirs.node) });
    assert.match(found.text, text);
  });
}

test("two routers that are both right find nothing wrong with each other, whoever is master", async () => {
  await using lan = await Neighbours.meet({ password: "same", priority: 150 }, { password: "same" });
  lan.theirs.start();
  await lan.theirs.holding();
  await lan.startOurs();
  await lan.ours.holding();
  await lan.theirs.lettingGo();
  const findings = async () => (await lan.events()).filter(({ kind }) => kind === "finding");
  await lan.ours.stop();
  await lan.theirs.holding();
  await lan.startOurs();
  await lan.ours.holding();
  assert.deepEqual(await findings(), []);
});

test("adverts that a firewall of this host drops are told from a neighbour that is silent", async () => {
  await using lan = await Neighbours.meet({}, {});
  await drop(lan.ours.node, "input");
  lan.theirs.start();
  await lan.startOurs();
  const found = await lan.named("adverts-filtered");
  assert.deepEqual(found.peer, { ip: "10.9.0.2", mac: await lan.mac(lan.theirs.node) });
  assert.equal((await lan.named("two-masters")).peer?.ip, "10.9.0.2");
});

test("adverts that a firewall of this host begins to drop while it is backup are named, and as the reason of two masters", async () => {
  await using lan = await Neighbours.meet({}, { priority: 150 });
  lan.theirs.start();
  await lan.theirs.holding();
  await lan.startOurs();
  const heard = async () => JSON.parse(await lan.command("status", "--json")).vrrp?.instances[0]?.lastAdvert?.from;
  await until("it has heard the master", async () => (await heard()) === "10.9.0.2");
  await drop(lan.ours.node, "input");
  const found = await lan.named("adverts-filtered");
  assert.deepEqual(found.peer, { ip: "10.9.0.2", mac: await lan.mac(lan.theirs.node) });
  await until("two masters with that reason", async () =>
    (await lan.findings()).some(({ code, cure }) => code === "two-masters" && cure.includes("adverts-filtered")),
  );
});

test("a neighbour whose multicast is eaten on the way is known by the address that both hold", async () => {
  await using lan = await Neighbours.meet({}, {});
  await drop(lan.theirs.node, "output");
  lan.theirs.start();
  await lan.theirs.holding();
  await lan.startOurs();
  const found = await until("peer-not-heard as an error", async () =>
    (await lan.findings()).find((one) => one.code === "peer-not-heard" && one.severity === "error"),
  );
  const mac = await lan.mac(lan.theirs.node);
  assert.deepEqual(found.peer?.mac, mac);
  assert.equal((await lan.named("address-owned-elsewhere")).peer?.mac, mac);
});

test("a third machine that has the address is found by asking, and no longer when it has let go", async () => {
  await using lan = await Neighbours.meet({}, {});
  await lan.third.run("ip", "addr", "add", `${VIP}/32`, "dev", "eth0");
  await lan.startOurs();
  const found = await lan.named("address-owned-elsewhere");
  assert.equal(found.peer?.mac, await lan.mac(lan.third));
  assert.equal(found.text, `has ${VIP} too, which this host holds as master`);
  await lan.third.run("ip", "addr", "del", `${VIP}/32`, "dev", "eth0");
  await lan.over("address-owned-elsewhere");
});

test("an address that a killed router has left behind is told with its router", async () => {
  await using lan = await Neighbours.meet({}, { priority: 150 });
  lan.theirs.start();
  await lan.theirs.holding();
  await lan.startOurs();
  const heard = async () => JSON.parse(await lan.command("status", "--json")).vrrp?.instances[0]?.lastAdvert?.from;
  await until("it has heard the master", async () => (await heard()) === "10.9.0.2");
  signalTree(lan.theirs.program.pid, "SIGKILL");
  const found = await lan.named("address-owned-elsewhere");
  assert.equal(found.peer?.ip, "10.9.0.2");
  assert.equal(found.text, `still has ${VIP}, and this host is master and hears no advert of it`);
});

test("over IPv6 a third machine with the address is found by a neighbour solicitation, and a misfit by its advert", async () => {
  const ipv6 = { version: 3, addresses: ["fe80::50", "2001:db8::50"] };
  await using lan = await Neighbours.meet(ipv6, { ...ipv6, priority: 150, addresses: ["fe80::50", "2001:db8::51"] });
  await lan.third.run("ip", "addr", "add", "2001:db8::50/128", "dev", "eth0", "nodad");
  await lan.startOurs();
  const found = await lan.named("address-owned-elsewhere");
  assert.equal(found.peer?.mac, await lan.mac(lan.third));
  assert.equal(found.text, "has 2001:db8::50 too, which this host holds as master");
  lan.theirs.start();
  const differs = await lan.named("address-list-differs");
  assert.equal(differs.text, "its virtual_ipaddress lacks 2001:db8::50 and has 2001:db8::51 besides");
  assert.equal(differs.peer?.mac, await lan.mac(lan.theirs.node));
});

test("with use_vmac the neighbours on the base interface are watched", async () => {
  const more = ["use_vmac"];
  await using lan = await Neighbours.meet({ password: "one", more }, { password: "two", more, priority: 150 });
  await lan.third.run("ip", "addr", "add", `${VIP}/32`, "dev", "eth0");
  await lan.startOurs();
  assert.equal((await lan.named("address-owned-elsewhere")).peer?.mac, await lan.mac(lan.third));
  lan.theirs.start();
  const found = await lan.named("password-differs");
  assert.deepEqual(found.peer, { ip: "10.9.0.2", mac: "00:00:5e:00:01:33" });
});

test("a unicast peer that speaks no VRRP says so, and is told from one that is silent", async () => {
  const more = ["unicast_peer {", "    10.9.0.3", "    10.9.0.9", "}"];
  await using lan = await Neighbours.meet({ more }, {});
  await lan.startOurs();
  const told = await until("both are told", async () => {
    const all = (await lan.findings()).filter(({ code }) => code === "unicast-peer-silent");
    return all.length === 2 && all.some(({ severity }) => severity === "warning") && all;
  });
  assert.deepEqual(
    told.map(({ severity, peer, text }) => [severity, peer?.ip, text]),
    [
      ["warning", "10.9.0.3", "answers that it speaks no VRRP"],
      ["note", "10.9.0.9", "has not been heard since this host started, which is master"],
    ],
  );
});
