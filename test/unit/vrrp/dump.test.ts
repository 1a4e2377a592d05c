/** keepalived's dump files: ours beside those that keepalived 2.2.7 wrote for the same configuration and state. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { instantAt, microseconds } from "../../../src/base/time.ts";
import type { VrrpConfiguration } from "../../../src/config/model/vrrp.ts";
import { loadFromDisk } from "../../../src/daemon/configuration-files.ts";
import { NO_COUNTS } from "../../../src/vrrp/counters.ts";
import { renderData, renderParentData } from "../../../src/vrrp/dump/data.ts";
import type { Dumped, DumpFacts } from "../../../src/vrrp/dump/facts.ts";
import { renderJson } from "../../../src/vrrp/dump/json.ts";
import { countedSince, renderStats } from "../../../src/vrrp/dump/stats.ts";
import type { HostSnapshot, InstanceSnapshot } from "../../../src/vrrp/messages.ts";

const fixture = (name: string) => new URL(`../../fixtures/vrrp/dump/${name}`, import.meta.url);
const golden = (name: string) => readFileSync(fixture(name), "utf8");

const DAYS: Record<number, string> = {
  1795220513582531: "Sat Nov 21 00:21:53",
  1795220519583240: "Sat Nov 21 00:21:59",
};

const facts: DumpFacts = {
  routerId: "B",
  networkNamespace: undefined,
  interfaces: [
    {
      name: "lo",
      index: 1,
      ipv4: "127.0.0.1",
      ipv6: undefined,
      mac: undefined,
      mtu: 65_536,
      flags: 0x49,
      loopback: true,
    },
    {
      name: "eth0",
      index: 2,
      ipv4: "10.9.0.2",
      ipv6: "fe80::4c5b:13ff:fe92:f8b6",
      mac: "4e:5b:13:92:f8:b6",
      mtu: 1500,
      flags: 0x1043,
      loopback: false,
    },
  ],
  resolve: ({ argv }) => ({ argv: argv.map((word) => word.replace(/^\/bin\//, "/usr/bin/")), uid: 0, gid: 0 }),
  wall: (at) => ({ microseconds: at, day: DAYS[at] ?? "Thu Jan  1 00:00:00", year: "2026" }),
};

function vrrpOf(name: string): VrrpConfiguration {
  const { vrrp } = loadFromDisk([fixture(name).pathname], { configId: "x" }).configuration;
  assert.ok(vrrp);
  return vrrp;
}

function stateOf(
  configuration: VrrpConfiguration,
  name: string,
  differences: Partial<InstanceSnapshot> = {},
): InstanceSnapshot {
  const instance = configuration.instances.find((one) => one.name === name);
  assert.ok(instance);
  return {
    name,
    interface: instance.interface,
    virtualRouterId: instance.virtualRouterId,
    version: instance.version,
    family: instance.family,
    group: configuration.syncGroups.find(({ members }) => members.includes(name))?.name,
    state: "MASTER",
    leaving: false,
    since: instantAt(1_795_220_513_582_531),
    cause: "",
    basePriority: instance.priority,
    effectivePriority: instance.priority,
    masterAdvertInterval: instance.advertInterval,
    deadline: instantAt(1_795_220_519_583_240),
    addresses: [],
    holdsAddresses: true,
    lastAdvert: undefined,
    lastRefused: undefined,
    faults: [],
    counters: NO_COUNTS,
    ...differences,
  };
}

const hostOf = (instances: readonly InstanceSnapshot[]): HostSnapshot => ({
  instances,
  groups: [],
  scripts: [],
  files: [],
  processes: [],
  unknownVrid: 0,
  malformed: 0,
});

function lab(): Dumped {
  const configuration = vrrpOf("lab.conf");
  const [peer] = ["10.9.0.1"] as const;
  const heard = { from: peer, priority: 150, at: instantAt(0) } as NonNullable<InstanceSnapshot["lastAdvert"]>;
  const state = stateOf(configuration, "VI_1", {
    source: "10.9.0.2" as NonNullable<InstanceSnapshot["source"]>,
    lastAdvert: heard,
    counters: {
      ...NO_COUNTS,
      "adverts-received": 6,
      "adverts-sent": 6,
      "became-master": 1,
      "priority-zero-received": 1,
    },
  });
  return { configuration, snapshot: hostOf([state]), facts };
}

/** What a file of keepalived's has that ours leaves out. */
const NOT_OURS =
  /^ (VRRP|LVS|BFD) process name|libnftnl version|fd_in|^ {3}(Seen up|Delayed state|Reset |Original |rp_filter|Not IPv6)/;
/** keepalived's timer says how long it last waited, 0.609 s after priority 0; ours how long it would. */
const comparable = (text: string) =>
  text
    .split("\n")
    .filter((line) => !NOT_OURS.test(line))
    .map((line) => line.replace(/(Master down timer =) \d+/, "$1 …"));

test(".stats is keepalived's file byte for byte", () => {
  assert.equal(renderStats(lab().snapshot.instances), golden("lab.stats"));
});

test("JSON version 1 has keepalived's fields and values in keepalived's order, the password masked", () => {
  const theirs = golden("lab.json").replaceAll("\\/", "/").replace('"auth_data":"12345678"', '"auth_data":"********"');
  assert.equal(renderJson(lab(), 1), theirs.trimEnd());
});

test("JSON version 2 puts the instances under vrrp", () => {
  const one = JSON.parse(renderJson(lab(), 1));
  assert.deepEqual(JSON.parse(renderJson(lab(), 2)), { vrrp: one, track_process: [] });
});

test(".data says line by line what keepalived says", () => {
  assert.deepEqual(comparable(renderData(lab())), comparable(golden("lab.data")));
});

test("the parent's .data holds the global definitions alone", () => {
  const theirs = comparable(golden("lab.parent.data")).map((line) =>
    // The parent of keepalived has not worked these defaults out.
    line.replace(/(lower priority (?:delay|repeat) =) 4294967295/, "$1 5"),
  );
  assert.deepEqual(comparable(renderParentData(lab())), theirs);
});

test("the numbers that JSON gives to states are keepalived's", () => {
  const configuration = vrrpOf("lab.conf");
  const states = ["INIT", "BACKUP", "MASTER", "FAULT", "STOP"] as const;
  const numbers = states.map((state) => {
    const snapshot = hostOf([stateOf(configuration, "VI_1", { state })]);
    return JSON.parse(renderJson({ configuration, snapshot, facts }, 1))[0].data.state;
  });
  // Waiting for the first results of scripts is FAULT to keepalived.
  assert.deepEqual(numbers, [3, 1, 2, 3, 98]);
});

test("cleared statistics count from there, and from nothing after the process was started again", () => {
  const configuration = vrrpOf("lab.conf");
  const at = (sent: number) => stateOf(configuration, "VI_1", { counters: { ...NO_COUNTS, "adverts-sent": sent } });
  const cleared = new Map([["VI_1", at(5).counters]]);
  assert.equal(countedSince(cleared, [at(7)])[0]?.counters["adverts-sent"], 2);
  assert.equal(countedSince(cleared, [at(3)])[0]?.counters["adverts-sent"], 3);
});

/** What two widely used exporters look for, by their documented metrics: written here from those, not copied. */
test("exporters find their lines in .data and .stats", () => {
  const data = renderData(lab());
  const found = (pattern: RegExp) => [...data.matchAll(pattern)].map((match) => match[1]);
  assert.deepEqual(found(/^ VRRP Instance = (\S+)$/gm), ["VI_1"]);
  assert.deepEqual(found(/^ {3}State = (MASTER|BACKUP|FAULT|INIT)$/gm), ["MASTER"]);
  assert.deepEqual(found(/^ {3}Wantstate = (\S+)$/gm), ["MASTER"]);
  assert.deepEqual(found(/^ {3}Interface = (\S+)$/gm), ["eth0", "eth0"]);
  assert.deepEqual(found(/^ {3}Gratuitous ARP delay = (\d+)$/gm), ["5"]);
  assert.deepEqual(found(/^ {3}Virtual Router ID = (\d+)$/gm), ["51"]);
  assert.deepEqual(found(/^ {3}Virtual IP \((\d+)\):$/gm), ["2"]);
  assert.deepEqual(found(/^ {5}(\d\S*) dev \S+ scope \S+/gm), ["10.9.0.100/24", "10.9.0.101"]);
  const stats = Object.fromEntries(
    renderStats(lab().snapshot.instances)
      .split("\n")
      .flatMap((line) => {
        const [key, value] = line.split(":").map((part) => part.trim());
        return key && value ? [[key, value]] : [];
      }),
  );
  assert.equal(stats["VRRP Instance"], "VI_1");
  assert.equal(stats["Became master"], "1");
});

test("a round configuration renders without gaps: durations of version 3 are milliseconds", () => {
  const configuration = vrrpOf("lab.conf");
  const v3 = {
    ...configuration,
    instances: configuration.instances.map((one) => ({
      ...one,
      version: 3 as const,
      advertInterval: microseconds(500_000),
    })),
  };
  const text = renderData({ configuration: v3, snapshot: hostOf([stateOf(v3, "VI_1")]), facts });
  assert.match(text, /^ {3}Advert interval = 500 milli-sec$/m);
});
