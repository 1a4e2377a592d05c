/**
 * What a plan's files come to on a LAN: all hosts up, then each host lost in turn, and who holds what compared with the plan.
 *
 * A host is lost as its cable is pulled. Adverts go every 0.1 s as version 3, so a take-over takes a third of a second.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { TestNetwork, type TestNode } from "../support/namespace.ts";
import { peerPath } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { type Brand, EVENKEEL } from "../support/vrrp-pair.ts";

const execute = promisify(execFile);

interface EmittedPlan {
  readonly hosts: string[];
  /** Names of the hosts in the order in which they own the VIP. */
  readonly orders: string[][];
  readonly folder: string;
}

const vipAt = (index: number): string => `10.9.0.${100 + index}`;

async function emitPlan(folder: string, ...options: string[]): Promise<EmittedPlan> {
  const files = ["--emit", folder, "--vip-addresses", "10.9.0.100-199/24", "--first-vrid", "51"];
  const { stdout } = await execute(EVENKEEL, ["plan", "--json", "--advert-interval", "0.1", ...options, ...files]);
  const report = JSON.parse(stdout) as {
    hosts: { name: string }[];
    plan: { vips: { order: string[]; priorities: Record<string, number> }[] };
  };
  const hosts = report.hosts.map(({ name }) => name);
  assert.deepEqual(readdirSync(folder).toSorted(), hosts.map((name) => `${name}.conf`).toSorted());
  return { hosts, orders: report.plan.vips.map(({ order }) => order), folder };
}

class PlannedLan implements AsyncDisposable {
  readonly #plan: EmittedPlan;
  readonly #network = new TestNetwork();
  readonly #nodes = new Map<string, TestNode>();
  #lan: TestNode | undefined;

  constructor(plan: EmittedPlan) {
    this.#plan = plan;
  }

  async start(brand: Brand): Promise<void> {
    const { hosts, folder } = this.#plan;
    for (const name of hosts) this.#nodes.set(name, await this.#network.node(name));
    this.#lan = await this.#network.segment(
      "lan",
      [...this.#nodes.values()].map((node, host) => ({
        node,
        interface: "eth0",
        addresses: [`10.9.0.${host + 1}/24`],
      })),
    );
    for (const [name, node] of this.#nodes) {
      const file = (suffix: string) => join(folder, `${name}.${suffix}`);
      const pids = ["-p", file("pid"), "-r", file("vrrp.pid")];
      const argv =
        brand === "evenkeel"
          ? [EVENKEEL, "run", "-f", file("conf"), "--socket", file("sock")]
          : [peerPath("keepalived"), "-n", "-l", "-P", "-f", file("conf"), ...pids];
      node.start(argv);
    }
  }

  /** VIP → every host that has it, by name. */
  async #held(): Promise<string[][]> {
    const { orders } = this.#plan;
    const addresses = new Map<string, Set<string>>();
    for (const [name, node] of this.#nodes) {
      const [link] = await node.ipJson("addr", "show", "dev", "eth0");
      addresses.set(name, new Set((link.addr_info as { local: string }[]).map(({ local }) => local)));
    }
    return orders.map((_, vip) => [...addresses].filter(([, held]) => held.has(vipAt(vip))).map(([name]) => name));
  }

  /** Waits until every VIP is where the plan has it, once. */
  async holdsAsPlanned(lost: string | undefined): Promise<void> {
    const wanted = this.#plan.orders.map((order) => [order.find((name) => name !== lost)]);
    let held: string[][] = [];
    const when = lost === undefined ? "all hosts up" : `${lost} lost`;
    const settled = async () => {
      held = await this.#held();
      return JSON.stringify(held) === JSON.stringify(wanted);
    };
    await until(`${when}: every VIP where the plan has it`, settled, 20_000).catch(() => {
      assert.deepEqual(held, wanted, when);
    });
  }

  cable(name: string, state: "up" | "down"): Promise<string> | undefined {
    return this.#lan?.run("ip", "link", "set", `p${this.#plan.hosts.indexOf(name)}`, state);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#network[Symbol.asyncDispose]();
  }
}

async function loseEachInTurn(brand: Brand, ...options: string[]): Promise<EmittedPlan> {
  const folder = mkdtempSync(join(tmpdir(), "plan-"));
  try {
    const plan = await emitPlan(folder, ...options);
    await using lan = new PlannedLan(plan);
    await lan.start(brand);
    await lan.holdsAsPlanned(undefined);
    for (const name of plan.hosts) {
      await lan.cable(name, "down");
      await lan.holdsAsPlanned(name);
      await lan.cable(name, "up");
      await lan.holdsAsPlanned(undefined);
    }
    return plan;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const THREE = ["--hosts", "3", "--link", "1Gbit", "--traffic", "1.5Gbit", "--failures", "1"];
const FOUR = ["--hosts", "4", "--link", "1Gbit", "--traffic", "1.5Gbit", "--failures", "1"];

test("evenkeel: six VIPs on three hosts are where the plan has them, with all up and with each host lost", async () => {
  const { orders } = await loseEachInTurn("evenkeel", ...THREE);
  assert.equal(orders.length, 6);
});

test("evenkeel: four VIPs on four hosts are where the plan has them, with all up and with each host lost", async () => {
  const { orders } = await loseEachInTurn("evenkeel", ...FOUR);
  assert.equal(orders.length, 4);
});

test("keepalived: six VIPs on three hosts are where the plan has them, with all up and with each host lost", async () => {
  const { orders } = await loseEachInTurn("keepalived", ...THREE);
  assert.equal(orders.length, 6);
});

test("the files of a plan pass evenkeel check and keepalived -t, as version 2 and as version 3", async () => {
  const folder = mkdtempSync(join(tmpdir(), "plan-"));
  try {
    for (const interval of ["1", "0.25"]) {
      const { hosts } = await emitPlan(folder, ...THREE, "--advert-interval", interval);
      for (const name of hosts) {
        const file = join(folder, `${name}.conf`);
        assert.match(readFileSync(file, "utf8"), new RegExp(`advert_int ${interval}\n`));
        const { stdout } = await execute(EVENKEEL, ["check", file]);
        assert.match(stdout, /6 vrrp_instance, 0 vrrp_sync_group; 0 errors, 0 warnings, 0 notes/);
        await using network = new TestNetwork();
        const node = await network.node("check");
        await node.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far");
        await node.run(peerPath("keepalived"), "-t", "-f", file);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
