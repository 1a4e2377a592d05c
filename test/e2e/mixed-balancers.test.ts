/**
 * The set-up of examples/haproxy-keepalived with one balancer run by evenkeel and the other by Debian's keepalived and
 * haproxy, from the same files: whichever dies, in whichever way, the other takes over, and a client with a cookie stays on
 * its server.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readTopology } from "../../src/lab/file.ts";
import { Lab } from "../../src/lab/lab.ts";
import type { LabNode } from "../../src/lab/node.ts";
import { CLIENT_VIP, SERVER_VIP } from "../../src/lab/scenarios/haproxy-keepalived.ts";
import { startProbe, type Traffic } from "../../src/lab/scenarios/observers.ts";
import type { Program } from "../../src/lab/topology.ts";
import { peerPath } from "../support/peers.ts";
import { until } from "../support/until.ts";
import type { Brand } from "../support/vrrp-pair.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/haproxy-keepalived/docker-compose.yml", import.meta.url));
const DEATHS = ["its eth0 goes down", "a clean stop", "kill -9", "SIGSTOP"] as const;

for (const [first, second] of [
  ["evenkeel", "keepalived"],
  ["keepalived", "evenkeel"],
] as const) {
  test(`lb1 run by ${first}, lb2 by ${second}: the VIPs move and come back for every kind of death`, async () => {
    const lab = await up(first, second);
    try {
      const [lb1, lb2] = [lab.node("lb1"), lab.node("lb2")];
      await ownedBy(lb1, lb2);
      const target = `http://${CLIENT_VIP}/`;
      const pace = { kind: "http", target, intervalMs: 25, timeoutMs: 500, count: 10_000 } as const;
      const sticky = await startProbe(lab.node("h1"), { ...pace, keepCookies: true });
      const plain = await startProbe(lab.node("h2"), pace);
      // Probes do not wait for each other: the first few may all go without a cookie.
      await answered(sticky, plain);
      const cookieSince = sticky.records().length;
      for (const death of DEATHS) {
        await die(lb1, death);
        await until(`lb2 (${second}) holds both VIPs after ${death}`, async () => (await held(lb2)) === 2);
        // keepalived leaves its addresses behind when it is killed or frozen; evenkeel's go by themselves.
        if (first === "evenkeel") await until(`lb1 has let go after ${death}`, async () => (await held(lb1)) === 0);
        await answered(sticky, plain);
        await recover(lb1, death);
        await ownedBy(lb1, lb2);
        await answered(sticky, plain);
      }
      await Promise.all([sticky.stop(), plain.stop()]);
      assert.equal(
        servers(sticky, cookieSince).length,
        1,
        `the cookie's client was answered by ${servers(sticky, cookieSince)}`,
      );
      assert.deepEqual(servers(plain, 0), ["s1", "s2", "s3"]);
    } finally {
      await lab.down();
    }
  });
}

/** Who answered from probe number `since` on. */
function servers(traffic: Traffic, since: number): (string | undefined)[] {
  const answers = traffic
    .records()
    .slice(since)
    .filter((one) => one.ok);
  return [...new Set(answers.map((one) => one.by))].sort();
}

/** The example with each balancer run by what its brand consists of; no port of this machine is taken. */
async function up(first: Brand, second: Brand): Promise<Lab> {
  const topology = readTopology(EXAMPLE);
  const nodes = topology.nodes.map((node) => {
    const programs =
      node.name === "lb1" ? programsOf(first, "lb1") : node.name === "lb2" ? programsOf(second, "lb2") : node.programs;
    return { ...node, ports: [], programs };
  });
  return Lab.up({ ...topology, nodes }, { name: `mixed-${first}-${process.pid}` });
}

function programsOf(brand: Brand, node: string): readonly Program[] {
  const vrrp = `base/${node}/keepalived.conf`;
  if (brand === "evenkeel")
    return [{ name: "evenkeel", command: ["evenkeel", "run", "-f", vrrp, "-f", "/tmp/haproxy.cfg"] }];
  return [
    { name: "keepalived", command: [peerPath("keepalived"), "-n", "-l", "-D", "-P", "-f", vrrp] },
    { name: "haproxy", command: [peerPath("haproxy"), "-db", "-f", "/tmp/haproxy.cfg"] },
  ];
}

async function die(node: LabNode, death: (typeof DEATHS)[number]): Promise<void> {
  if (death === "its eth0 goes down") return node.link("eth0", "down");
  const signal = death === "a clean stop" ? "SIGTERM" : death === "kill -9" ? "SIGKILL" : "SIGSTOP";
  for (const { name } of node.spec.programs) await node.signal(name, signal);
}

async function recover(node: LabNode, death: (typeof DEATHS)[number]): Promise<void> {
  if (death === "its eth0 goes down") return node.link("eth0", "up");
  for (const { name, command } of node.spec.programs) {
    if (death === "SIGSTOP") await node.signal(name, "SIGCONT");
    else {
      await node.process(name).exited;
      await node.spawn(command, { name });
    }
  }
}

async function held(node: LabNode): Promise<number> {
  const addresses = (await node.links()).flatMap((link) => link.addresses).map((one) => one.split("/")[0]);
  return [CLIENT_VIP, SERVER_VIP].filter((vip) => addresses.includes(vip)).length;
}

async function ownedBy(owner: LabNode, other: LabNode): Promise<void> {
  await until(
    `${owner.name} alone holds both VIPs`,
    async () => (await held(owner)) === 2 && (await held(other)) === 0,
  );
}

/** Every client's last ten probes have been answered, all of them sent from now on. */
async function answered(...traffic: readonly Traffic[]): Promise<void> {
  for (const one of traffic) {
    const before = one.records().length;
    await until(`${one.node} is answered`, () => {
      const since = one.records().slice(before);
      return since.length >= 10 && since.slice(-10).every((record) => record.ok);
    });
  }
}
