/** Findings about neighbours, from packets and snapshots alone: each mistake, its end, and the silence where nothing is wrong. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { IpAddress } from "../../../src/base/ip.ts";
import type { MacAddress } from "../../../src/base/mac.ts";
import { instantAt, seconds } from "../../../src/base/time.ts";
import type { VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { advertPacket } from "../../../src/vrrp/advert.ts";
import type { InstanceSnapshot } from "../../../src/vrrp/messages.ts";
import type { Finding, NeighbourhoodOutput, Observation } from "../../../src/vrrp/neighbourhood/findings.ts";
import { findings, initialNeighbourhood, observe } from "../../../src/vrrp/neighbourhood/neighbourhood.ts";
import { MOST_EACH } from "../../../src/vrrp/neighbourhood/state.ts";
import { PROTOCOL_VRRP } from "../../../src/wire/ipv4.ts";
import { configuration, instance, ip, vip } from "../../support/vrrp-configuration.ts";

const OWN = "02:00:00:00:00:01" as MacAddress;
const PEER = "02:00:00:00:00:02" as MacAddress;
const THIRD = "02:00:00:00:00:03" as MacAddress;

/** What the observer sees, the process hears. */
const HEARD = { from: ip("10.9.0.2"), priority: 100, at: instantAt(999_000_000) };

/** One host with one instance, MASTER since 10 s unless it says otherwise. */
class Neighbourhood {
  now = instantAt(100_000_000);
  state = initialNeighbourhood();
  readonly told: NeighbourhoodOutput[] = [];
  readonly mine: VrrpInstance;
  snapshot: Partial<InstanceSnapshot>;

  constructor(mine: Partial<VrrpInstance> = {}, snapshot: Partial<InstanceSnapshot> = {}) {
    this.mine = instance(mine);
    this.snapshot = { state: "MASTER", since: instantAt(90_000_000), ...snapshot };
    this.feed({
      type: "own",
      configuration: configuration([this.mine]),
      interfaces: [{ name: "eth0", macs: [OWN], addresses: [ip("10.9.0.1")] }],
    });
  }

  feed(observation: Observation): NeighbourhoodOutput[] {
    const { state, outputs } = observe(this.state, observation, this.now);
    this.state = state;
    this.told.push(...outputs);
    return [...outputs];
  }

  tick(): void {
    const { name, virtualRouterId, version, family, priority } = this.mine;
    const snapshot = {
      name,
      interface: this.mine.interface,
      virtualRouterId,
      version,
      family,
      leaving: false,
      effectivePriority: priority,
      addresses: this.mine.virtualAddresses,
      holdsAddresses: this.snapshot.state === "MASTER",
      lastAdvert: HEARD,
      ...this.snapshot,
    } as InstanceSnapshot;
    this.feed({ type: "tick", instances: [snapshot] });
  }

  /** Each second an advert of each of these, and a tick. */
  pass(count: number, ...each: (() => void)[]): void {
    for (let second = 0; second < count; second++) {
      for (const one of each) one();
      this.tick();
      this.now = instantAt(this.now + 1_000_000);
    }
  }

  hear(
    more: Partial<VrrpInstance> = {},
    from = "10.9.0.2",
    change: (packet: Uint8Array) => void = () => undefined,
  ): void {
    const theirs = { ...this.mine, ...more };
    const destination = theirs.unicastPeers?.[0]?.address ?? theirs.multicastGroup;
    const header = { source: ip(from), destination, identification: 1 };
    const packet = advertPacket(theirs, theirs.priority, header);
    change(packet);
    const sourceMac = from === "10.9.0.2" ? PEER : THIRD;
    this.feed({ type: "packet", interface: "eth0", sourceMac, packet: packet.toHex() });
  }

  claim(mac: MacAddress, address: IpAddress = ip("10.9.0.50")): void {
    this.feed({ type: "claim", interface: "eth0", address, mac });
  }

  get codes(): string[] {
    return findings(this.state).map(({ code }) => code);
  }

  named(code: Finding["code"]): Finding {
    const found = findings(this.state).find((one) => one.code === code);
    assert.ok(found !== undefined, `${code} among ${this.codes}`);
    return found;
  }
}

const BACKUP: Partial<InstanceSnapshot> = { state: "BACKUP" };

const differing: readonly [
  what: string,
  code: Finding["code"],
  mine: Partial<VrrpInstance>,
  theirs: Partial<VrrpInstance>,
  text: string,
][] = [
  [
    "no authentication",
    "auth-type-differs",
    { authPass: "a" },
    { authPass: undefined },
    "has no authentication, this host auth_type PASS",
  ],
  ["another password", "password-differs", { authPass: "a" }, { authPass: "b" }, "has another auth_pass"],
  ["another version", "version-differs", { version: 2 }, { version: 3 }, "speaks VRRP version 3, this host version 2"],
  ["another interval", "interval-differs", {}, { advertInterval: seconds(3) }, "has advert_int 3, this host 1"],
  [
    "an address less and one more",
    "address-list-differs",
    { virtualAddresses: [vip("10.9.0.50"), vip("10.9.0.51")] },
    { virtualAddresses: [vip("10.9.0.50"), vip("10.9.0.52")] },
    "its virtual_ipaddress lacks 10.9.0.51 and has 10.9.0.52 besides",
  ],
  [
    "addresses of its own",
    "duplicate-vrid",
    {},
    { virtualAddresses: [vip("10.9.0.99")] },
    "is another virtual router with the same number 5: it has 10.9.0.99",
  ],
  [
    "one of the addresses under another number",
    "vrid-differs",
    {},
    { virtualRouterId: 6 },
    "advertises 10.9.0.50 as virtual router 6, which is 5 here",
  ],
  [
    "checksums without pseudo header",
    "checksum-style-differs",
    { version: 3 },
    { checksumWithoutPseudoHeader: true },
    "sums without the pseudo header (RFC 9568 for IPv4), this host with it",
  ],
  [
    "priority 255 too",
    "two-owners",
    { priority: 255 },
    {},
    "has priority 255 as well: both claim to own the addresses",
  ],
  [
    "unicast where multicast is meant",
    "unicast-multicast-mixed",
    {},
    { unicastPeers: [{ address: ip("10.9.0.1"), minTtl: 0, maxTtl: 255 }] },
    "sends unicast to 10.9.0.1, and this instance uses multicast",
  ],
  [
    "multicast where unicast is meant",
    "unicast-multicast-mixed",
    { unicastPeers: [{ address: ip("10.9.0.2"), minTtl: 0, maxTtl: 255 }] },
    { unicastPeers: undefined },
    "sends multicast, and this instance speaks to unicast peers",
  ],
  [
    "another group",
    "unicast-multicast-mixed",
    {},
    { multicastGroup: ip("224.0.0.99") },
    "sends to the group 224.0.0.99, and this instance listens to 224.0.0.18",
  ],
];

for (const [what, code, mine, theirs, text] of differing) {
  test(`a neighbour with ${what} is named at its first advert, and no longer when it has none of it`, () => {
    const here = new Neighbourhood(mine, BACKUP);
    here.hear(theirs);
    assert.deepEqual(here.codes, [code]);
    const found = here.named(code);
    assert.deepEqual([found.text, found.instance, found.interface], [text, "V", "eth0"]);
    assert.deepEqual(found.peer, { ip: "10.9.0.2", mac: PEER });
    assert.ok(found.cure.length > 0);
    here.pass(12);
    assert.deepEqual(here.codes, []);
    assert.deepEqual(
      here.told.filter(({ type }) => type !== "probe").map((one) => one.type),
      ["found", "resolved"],
    );
  });
}

test("a neighbour that is configured alike is no finding, in either version", () => {
  for (const mine of [
    { authPass: "same" },
    { version: 3 as const },
    { version: 3 as const, checksumWithoutPseudoHeader: true },
  ]) {
    const here = new Neighbourhood(mine, BACKUP);
    here.pass(10, () => here.hear());
    assert.deepEqual(here.told, []);
  }
});

test("another interval in version 3 is a note: a backup takes the master's", () => {
  const here = new Neighbourhood({ version: 3 }, BACKUP);
  here.hear({ advertInterval: seconds(2) });
  assert.equal(here.named("interval-learned").severity, "note");
});

test("an advert that went through a router, one with a bad checksum and one that is cut are named", () => {
  const ttl = new Neighbourhood({}, BACKUP);
  ttl.hear({}, "10.9.0.2", (packet) => packet.set([254], 8));
  assert.equal(ttl.named("ttl-wrong").text, "its adverts come with TTL 254 instead of 255");
  const checksum = new Neighbourhood({}, BACKUP);
  checksum.hear({}, "10.9.0.2", (packet) => packet.set([77], 22));
  assert.deepEqual(checksum.codes, ["checksum-bad"]);
  const short = new Neighbourhood({}, BACKUP);
  short.hear({}, "10.9.0.2", (packet) => packet.set([2], 23));
  assert.equal(short.named("malformed").text, "sends adverts 4 bytes too short");
});

test("an advert behind an authentication header is told as AH", () => {
  const here = new Neighbourhood({}, BACKUP);
  const plain = advertPacket(here.mine, 100, {
    source: ip("10.9.0.2"),
    destination: ip("224.0.0.18"),
    identification: 1,
  });
  const header = Uint8Array.of(PROTOCOL_VRRP, 4, 0, 0, ...new Uint8Array(20));
  const packet = Uint8Array.of(...plain.subarray(0, 20), ...header, ...plain.subarray(20));
  packet.set([51], 9);
  packet.set([packet.length], 3);
  here.feed({ type: "packet", interface: "eth0", sourceMac: PEER, packet: packet.toHex() });
  assert.deepEqual(here.codes, ["ah-used"]);
});

test("two masters are named with the addresses of both and with what keeps them apart, and since when", () => {
  const here = new Neighbourhood({ authPass: "a" });
  here.pass(3, () => here.hear({ authPass: "b" }));
  const two = here.named("two-masters");
  assert.equal(two.text, `is master with priority 100, and so is this host, 10.9.0.1 (${OWN}), with priority 100`);
  assert.equal(two.cure, "end what keeps them apart: password-differs");
  assert.equal(two.since, 100_000_000);
  here.snapshot = BACKUP;
  here.tick();
  assert.ok(!here.codes.includes("two-masters"));
});

test("adverts that cross while one router takes over from another are not two masters", () => {
  const here = new Neighbourhood();
  // It has preempted: one advert comes before this host has heard it and lets go.
  here.pass(1, () => here.hear({ priority: 150 }));
  here.snapshot = { state: "BACKUP", since: here.now };
  here.pass(5, () => here.hear({ priority: 150 }));
  // And hands back with priority 0.
  here.pass(1, () => here.hear({ priority: 0 }));
  here.snapshot = { state: "MASTER", since: here.now };
  here.pass(10);
  assert.deepEqual(
    here.told.filter(({ type }) => type === "found"),
    [],
  );
});

test("two masters are seen by a backup as well", () => {
  const here = new Neighbourhood({}, BACKUP);
  here.pass(
    4,
    () => here.hear({ priority: 150 }),
    () => here.hear({ priority: 120 }, "10.9.0.3"),
  );
  const two = here.named("two-masters");
  assert.deepEqual(two.peer, { ip: "10.9.0.3", mac: THIRD });
  assert.equal(two.text, `is master with priority 120, and so is 10.9.0.2 (${PEER}) with priority 150`);
});

test("adverts that reach the interface and not the process are told as filtered", () => {
  const here = new Neighbourhood({}, { ...BACKUP, lastAdvert: undefined } as Partial<InstanceSnapshot>);
  here.pass(4, () => here.hear());
  assert.deepEqual(here.codes, ["adverts-filtered"]);
  here.snapshot = BACKUP;
  here.pass(1, () => here.hear());
  assert.deepEqual(here.codes, []);
});

test("adverts that a firewall has eaten since the last one that came through are told as filtered", () => {
  const here = new Neighbourhood({}, BACKUP);
  const through = () => {
    here.hear();
    here.snapshot = { ...here.snapshot, lastAdvert: { ...HEARD, at: here.now } };
  };
  here.pass(20, through);
  const last = instantAt(here.now - 1_000_000);
  here.pass(2, () => here.hear());
  assert.equal(here.codes.length, 0, "two may be on their way");
  here.pass(1, () => here.hear());
  assert.equal(here.named("adverts-filtered").since, last);
  here.snapshot = { ...here.snapshot, state: "MASTER", since: here.now };
  here.pass(4, () => here.hear());
  assert.equal(here.named("two-masters").cure, "end what keeps them apart: adverts-filtered");
  here.pass(1, through);
  assert.ok(!here.codes.includes("adverts-filtered"));
});

test("adverts that came while it was in FAULT are not missed", () => {
  const here = new Neighbourhood({}, { state: "FAULT", lastAdvert: { ...HEARD, at: instantAt(90_000_000) } });
  here.pass(20, () => here.hear());
  here.snapshot = { ...here.snapshot, state: "BACKUP", since: here.now };
  here.pass(1);
  assert.deepEqual(here.codes, []);
});

test("a router alone on purpose is no finding; one that expects another is told that it is alone", () => {
  const alone = new Neighbourhood({ state: "MASTER" }, { since: instantAt(100_000_000) });
  alone.pass(30);
  assert.deepEqual(alone.codes, []);
  const waiting = new Neighbourhood({ state: "BACKUP" }, { since: instantAt(100_000_000) });
  waiting.pass(4);
  assert.equal(waiting.named("peer-not-heard").severity, "note");
  waiting.pass(1, () => waiting.hear({ priority: 50 }));
  waiting.pass(30);
  assert.ok(!waiting.codes.includes("peer-not-heard"), "it has been heard once");
});

test("somebody who holds the address and sends no adverts is an error: multicast may be eaten", () => {
  const here = new Neighbourhood();
  here.pass(4, () => here.claim(THIRD));
  assert.equal(here.named("peer-not-heard").severity, "error");
  assert.equal(here.named("address-owned-elsewhere").text, "has 10.9.0.50 too, which this host holds as master");
  assert.deepEqual(here.named("address-owned-elsewhere").peer, { ip: undefined, mac: THIRD });
  here.pass(10);
  assert.deepEqual(here.codes, ["peer-not-heard"], "nobody answers any more; nobody has been heard either");
});

test("a former master may answer for a moment; one that goes on is named with its address", () => {
  const here = new Neighbourhood({}, BACKUP);
  here.pass(3, () => here.hear());
  here.pass(4);
  here.snapshot = { state: "MASTER", since: here.now };
  here.pass(2, () => here.claim(PEER));
  assert.deepEqual(here.codes, []);
  here.pass(3, () => here.claim(PEER));
  assert.deepEqual(here.named("address-owned-elsewhere").peer, { ip: "10.9.0.2", mac: PEER });
});

test("a backup expects claims from the master and from nobody else", () => {
  const here = new Neighbourhood({}, BACKUP);
  here.pass(
    5,
    () => here.hear({ priority: 150 }),
    () => here.claim(PEER),
    () => here.claim("00:00:5e:00:01:05" as MacAddress),
  );
  assert.deepEqual(here.codes, []);
  here.pass(
    3,
    () => here.hear({ priority: 150 }),
    () => here.claim(THIRD),
  );
  assert.deepEqual(here.codes, ["address-owned-elsewhere"]);
});

test("claims of this host's own interfaces and of addresses that are not virtual are none", () => {
  const here = new Neighbourhood({ state: "MASTER" });
  here.pass(
    5,
    () => here.claim(OWN),
    () => here.claim(THIRD, ip("10.9.0.77")),
  );
  assert.deepEqual(here.codes, []);
});

test("only a master asks who has its addresses: at once, soon again, then rarely, and often while somebody has", () => {
  const asked = (here: Neighbourhood, count: number, ...each: (() => void)[]): number[] =>
    Array.from({ length: count }, (_, second) => {
      const before = here.told.length;
      here.pass(1, ...each);
      return here.told.slice(before).some(({ type }) => type === "probe") ? [second] : [];
    }).flat();
  const backup = new Neighbourhood({}, BACKUP);
  assert.deepEqual(asked(backup, 60), []);
  const master = new Neighbourhood({ state: "MASTER" });
  assert.deepEqual(asked(master, 75), [0, 2, 3, 10, 40, 70]);
  assert.deepEqual(asked(master, 12, () => master.claim(THIRD)).slice(0, 3), [3, 6, 9]);
});

test("a unicast peer that says nothing is a note, one that refuses the protocol a warning", () => {
  const peer = { address: ip("10.9.0.2"), minTtl: 0, maxTtl: 255 };
  const here = new Neighbourhood({ unicastPeers: [peer] });
  here.pass(2);
  assert.equal(here.named("unicast-peer-silent").severity, "note");
  here.pass(3, () => here.feed({ type: "unreachable", interface: "eth0", address: ip("10.9.0.2") }));
  assert.deepEqual(here.codes, ["unicast-peer-silent"]);
  assert.equal(here.named("unicast-peer-silent").text, "answers that it speaks no VRRP");
});

test("neighbours that somebody makes up do not grow the memory, and are told of", () => {
  const here = new Neighbourhood({ authPass: "a" });
  for (let n = 0; n < 2_000; n++) here.hear({ authPass: "b" }, `10.8.${n >> 8}.${n & 255}`);
  assert.equal(here.state.peers.length, MOST_EACH + 4);
  assert.ok(here.state.held.length <= MOST_EACH + 4);
  for (let n = 0; n < 2_000; n++)
    here.claim(
      `02:00:00:01:${(n >> 8).toString(16).padStart(2, "0")}:${(n & 255).toString(16).padStart(2, "0")}` as MacAddress,
    );
  assert.equal(here.state.claims.length, MOST_EACH);
});

test("a reload that removes an instance ends what was found about it", () => {
  const here = new Neighbourhood({ authPass: "a" }, BACKUP);
  here.hear({ authPass: "b" });
  const outputs = here.feed({ type: "own", configuration: configuration([]), interfaces: [] });
  assert.deepEqual(
    outputs.map(({ type }) => type),
    ["resolved"],
  );
  assert.deepEqual(here.codes, []);
});

test("no bytes make it throw, and what it remembers is JSON", () => {
  const bytes = fc.uint8Array({ maxLength: 80 });
  const packet = fc.oneof(
    bytes,
    bytes.map((rest) =>
      Uint8Array.of(0x45, 0, 0, 20 + rest.length, 0, 0, 0, 0, 255, 112, 0, 0, 10, 9, 0, 2, 224, 0, 0, 18, ...rest),
    ),
    bytes.map((rest) =>
      Uint8Array.of(
        0x45,
        0,
        0,
        28 + rest.length,
        0,
        0,
        0,
        0,
        255,
        112,
        0,
        0,
        10,
        9,
        0,
        2,
        224,
        0,
        0,
        18,
        0x21,
        5,
        100,
        1,
        0,
        1,
        0,
        0,
        ...rest,
      ),
    ),
  );
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 10 }), (packets) => {
      const here = new Neighbourhood();
      for (const one of packets) here.feed({ type: "packet", interface: "eth0", sourceMac: PEER, packet: one.toHex() });
      here.pass(3);
      assert.deepEqual(
        JSON.parse(JSON.stringify(findings(here.state))),
        JSON.parse(JSON.stringify(findings(JSON.parse(JSON.stringify(here.state))))),
      );
    }),
  );
});

test("the same address under another number is a second master, and it is said what keeps the two apart", () => {
  const here = new Neighbourhood({ state: "MASTER" });
  here.pass(6, () => here.hear({ virtualRouterId: 6 }));
  assert.deepEqual(here.codes, ["vrid-differs", "two-masters"]);
});

test("under another number it is another router: what was said of the one before is over", () => {
  const here = new Neighbourhood({ state: "MASTER" });
  here.pass(6, () => here.hear({ virtualRouterId: 6 }));
  const own = (virtualRouterId: number) =>
    here.feed({ type: "own", configuration: configuration([{ ...here.mine, virtualRouterId }]), interfaces: [] });
  assert.deepEqual(own(here.mine.virtualRouterId), []);
  assert.deepEqual(
    own(6).map(({ type }) => type),
    ["resolved", "resolved"],
  );
  assert.deepEqual([here.state.peers, here.state.heard], [[], []]);
});

test("another virtual router with the same number is that alone, and no second master", () => {
  const here = new Neighbourhood({ state: "MASTER" });
  here.pass(6, () => here.hear({ virtualAddresses: [vip("10.9.0.99")] }));
  assert.deepEqual(here.codes, ["duplicate-vrid"]);
});

test("a master that is leaving is no second master, and one without its addresses asks nobody", () => {
  const leaving = new Neighbourhood({}, { leaving: true });
  leaving.pass(6, () => leaving.hear());
  assert.deepEqual(leaving.told, []);
  const bare = new Neighbourhood({ state: "MASTER" }, { holdsAddresses: false });
  bare.pass(20);
  assert.deepEqual(bare.told, []);
});

test("this host's own adverts, brought back to it, are no neighbour", () => {
  const here = new Neighbourhood({ authPass: "a" });
  here.pass(6, () => here.hear({ authPass: "b" }, "10.9.0.1"));
  assert.deepEqual(here.codes, ["peer-not-heard"]);
});

test("who wants no comparison of address lists gets none", () => {
  const here = new Neighbourhood({ skipCheckAdvAddr: true }, BACKUP);
  here.hear({ virtualAddresses: [vip("10.9.0.50"), vip("10.9.0.51")] });
  assert.deepEqual(here.codes, []);
});
