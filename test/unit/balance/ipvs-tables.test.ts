/** The tables of sh, dh and mh: every pick of the kernel's IPVS (test/fixtures/ipvs/hashes.json) falls where ours does. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  bucketOf,
  destinationHashTable,
  HASH_TABLE_SIZE,
  NOBODY,
  sourceHashTable,
} from "../../../src/balance/ipvs/hash-tables.ts";
import { MAGLEV_TABLE_SIZE, maglevSlot, maglevTable } from "../../../src/balance/ipvs/maglev.ts";
import { type IpAddress, ipToBytes, parseIp } from "../../../src/base/ip.ts";
import { capturedScenarios } from "../../support/ipvs-captures.ts";
import { type Client, clientsOf, type Packets, type Scenario } from "../../support/ipvs-scenario.ts";

const ip = (text: string): IpAddress => {
  const address = parseIp(text.replaceAll(/[[\]]/g, ""));
  if (address === undefined) throw new Error(text);
  return address;
};
const bytes = (text: string): Uint8Array => ipToBytes(ip(text));

interface Server {
  readonly name: string;
  readonly address: Uint8Array;
  readonly port: number;
  readonly weight: number;
  readonly lastWeight: number;
}

/** As much of ipvsadm as the scenarios of hashes say. Newest server first. */
class Model {
  scheduler = "";
  flags: readonly string[] = [];
  servers: Server[] = [];

  command(text: string): void {
    const words = text.split(" ");
    const after = (option: string) => words[words.indexOf(option) + 1] ?? "";
    const has = (option: string) => words.includes(option);
    if (words[0] === "-A") {
      this.scheduler = after("-s");
      this.flags = has("-b") ? after("-b").split(",") : [];
      return;
    }
    const spec = after("-r");
    const colon = /:\d+$/.test(spec) && (spec.startsWith("[") || !has("-f")) ? spec.lastIndexOf(":") : spec.length;
    const address = bytes(spec.slice(0, colon));
    const name = String(address.at(-1));
    const before = this.servers.find((server) => server.name === name);
    const weight = has("-w") ? Number(after("-w")) : 1;
    const server: Server = {
      name,
      address,
      port: Number(spec.slice(colon + 1)),
      weight,
      lastWeight: weight === 0 ? (before?.lastWeight ?? 0) : weight,
    };
    if (words[0] === "-a") this.servers.unshift(server);
    else if (words[0] === "-e") this.servers = this.servers.map((other) => (other === before ? server : other));
    else if (words[0] === "-d") this.servers = this.servers.filter((other) => other !== before);
    else assert.fail(text);
  }

  table(): Uint32Array {
    switch (this.scheduler) {
      case "sh":
        return sourceHashTable(this.servers);
      case "dh":
        return destinationHashTable(this.servers.length);
      default:
        assert.equal(this.scheduler, "mh");
        return maglevTable(this.servers);
    }
  }

  /** ip_vs_sh.c, ip_vs_mh.c: the slot, with a fallback the slots after. */
  pick(table: Uint32Array, client: Client, to: string): string {
    const port = this.flags.includes(`${this.scheduler}-port`) ? client.port : 0;
    const address = this.scheduler === "dh" ? bytes(to) : ipToBytes(client.address);
    const slot = (offset: number): number =>
      this.scheduler === "mh" ? maglevSlot(address, port, table.length, offset) : bucketOf(address, port, offset);
    const usable = (position: number): string | undefined => {
      const server = this.servers[table[position] ?? NOBODY];
      return server !== undefined && server.weight > 0 ? server.name : undefined;
    };
    const first = slot(0);
    const found = usable(first);
    if (found !== undefined || !this.flags.includes(`${this.scheduler}-fallback`)) return found ?? "-";
    for (let attempt = 0; attempt < table.length; attempt++) {
      const other = usable(slot((first + attempt) % table.length));
      if (other !== undefined) return other;
    }
    return "-";
  }

  picks(packets: Packets): string {
    const table = this.table();
    return Array.from(clientsOf(packets), (client) => this.pick(table, client, packets.to)).join(" ");
  }
}

function play(scenario: Scenario): void {
  const model = new Model();
  let compared = 0;
  for (const step of scenario.steps) {
    if ("ipvsadm" in step) model.command(step.ipvsadm);
    else if ("send" in step && step.chosen !== undefined) {
      assert.equal(model.picks(step.send), step.chosen);
      compared++;
    }
  }
  assert.ok(compared > 0);
}

describe("IPVS picked the same", () => {
  // Thresholds are not a table's affair.
  for (const scenario of capturedScenarios("hashes").filter(({ name }) => !name.includes("thresholds"))) {
    test(scenario.name, () => play(scenario));
  }
});

test("a server fills as many buckets of sh as it weighs, in turn, and one when it weighs nothing", () => {
  const table = sourceHashTable([{ weight: 2 }, { weight: 0 }, { weight: 3 }]);
  assert.equal(table.length, HASH_TABLE_SIZE);
  assert.deepEqual([...table.subarray(0, 8)], [0, 0, 1, 2, 2, 2, 0, 0]);
});

test("a heavy server fills what is left of sh's buckets", () => {
  const table = sourceHashTable([{ weight: 250 }, { weight: 65_535 }]);
  assert.equal(table.filter((position) => position === 0).length, 250);
  assert.equal(table.filter((position) => position === 1).length, 6);
});

test("dh gives each server a bucket in turn", () => {
  assert.deepEqual([...destinationHashTable(3).subarray(0, 5)], [0, 1, 2, 0, 1]);
});

test("without servers, or with none that ever had a weight, a table holds nobody", () => {
  assert.ok(sourceHashTable([]).every((position) => position === NOBODY));
  assert.ok(destinationHashTable(0).every((position) => position === NOBODY));
  const never = { address: bytes("10.0.0.1"), port: 80, lastWeight: 0 };
  assert.ok(maglevTable([never, never]).every((position) => position === NOBODY));
});

test("mh is full, shared by weight, and changes little when a server goes", () => {
  const servers = [1, 2, 3, 4].map((last) => ({ address: bytes(`10.0.0.${last}`), port: 80, lastWeight: last }));
  const table = maglevTable(servers);
  assert.equal(table.length, MAGLEV_TABLE_SIZE);
  const shares = servers.map((_, position) => table.filter((slot) => slot === position).length);
  assert.equal(
    shares.reduce((sum, share) => sum + share),
    MAGLEV_TABLE_SIZE,
  );
  for (const [position, share] of shares.entries()) {
    assert.ok(Math.abs(share - (MAGLEV_TABLE_SIZE * (position + 1)) / 10) < 5, `${position}: ${share}`);
  }
  const fewer = maglevTable(servers.slice(1));
  const moved = table.filter((position, slot) => position !== 0 && fewer[slot] !== position - 1).length;
  assert.ok(moved < MAGLEV_TABLE_SIZE / 10, `${moved} moved without need`);
});

test("weights of mh are cut to six bits without their common divisor, but nobody is lost", () => {
  const servers = [1, 65_535].map((lastWeight, index) => ({ address: bytes(`10.0.0.${index}`), port: 80, lastWeight }));
  const table = maglevTable(servers);
  // 65,535 is 16 bits long: ten are cut, which leaves 63 turns to 1.
  assert.equal(table.filter((position) => position === 0).length, Math.ceil(MAGLEV_TABLE_SIZE / 64));
});
