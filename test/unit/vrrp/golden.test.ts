/**
 * What keepalived 2.2.7 logged and sent in its labs, line for line, against the machine on a simulated LAN that is treated in the
 * same way. Left out are the lines that other parts of a daemon write, and repetitions of a complaint within one state:
 * keepalived wrote one for each advert before 2.3.3.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import type { VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { decodeArp } from "../../../src/wire/arp.ts";
import { decodeEthernet, ETHERTYPE_ARP, ETHERTYPE_IPV4 } from "../../../src/wire/ethernet.ts";
import { decodeIpv4, PROTOCOL_VRRP } from "../../../src/wire/ipv4.ts";
import { readPcap } from "../../support/pcap.ts";
import { SimulatedLan } from "../../support/simulated-lan.ts";
import { configuration, group, instance, ip, script, vip } from "../../support/vrrp-configuration.ts";

const OURS = /^(\([A-Z]\w*\)|VRRP_Group|VRRP_Script|Script `|Sending gratuitous|Netlink reports)/;
const COMPLAINTS = /advertisement interval mismatch|wrong version|received a \d auth/;

const fixtures = new URL("../../fixtures/vrrp/", import.meta.url);

const captured = (file: string) =>
  readPcap(new URL(`${file}.pcap`, fixtures)).flatMap(({ bytes }) => {
    const frame = decodeEthernet(bytes);
    return frame.ok ? [frame.value] : [];
  });

/** Lines of one log file until a line that contains `until`. */
function golden(file: string, until?: string): string[] {
  const whole = readFileSync(new URL(`${file}.log`, fixtures), "utf8").split("\n");
  const end = until === undefined ? -1 : whole.findIndex((line) => line.includes(until));
  return ours(
    whole.slice(0, end < 0 ? whole.length : end).map((line) => line.replace(/^\w+ \w+ +\d+ [\d:]+ \d+: /, "")),
  );
}

function ours(lines: readonly string[]): string[] {
  const kept: string[] = [];
  const complained = new Set<string>();
  for (const line of lines.filter((each) => OURS.test(each))) {
    if (line.includes(" STATE")) complained.clear();
    if (COMPLAINTS.test(line)) {
      if (complained.has(line)) continue;
      complained.add(line);
    }
    kept.push(line);
  }
  return kept;
}

const own = (number: number) => ({ eth0: ip(`10.9.0.${number}`), eth1: ip(`10.9.1.${number}`) });

/** A master starts, is stopped, comes back, and its backup is reloaded. */
function firstLab(): SimulatedLan {
  const lan = new SimulatedLan();
  const router = (priority: number) =>
    configuration([
      instance({
        name: "VI_1",
        virtualRouterId: 51,
        priority,
        authPass: "12345678",
        virtualAddresses: [vip("10.9.0.100"), vip("10.9.0.101", { prefixLength: 32 })],
      }),
    ]);
  lan.add("a", router(150), own(1));
  lan.add("b", router(100), own(2));
  lan.start("a");
  lan.run(seconds(8));
  lan.start("b");
  lan.run(seconds(5));
  lan.stop("a");
  lan.run(seconds(7.1));
  lan.start("a");
  lan.run(seconds(7));
  lan.reconfigure("b", router(100));
  lan.run(seconds(3));
  lan.stop("b");
  lan.run(seconds(2));
  lan.stop("a");
  lan.run(seconds(3));
  return lan;
}

/** Scripts fail and recover in and outside a sync group, and a link goes down. */
function thirdLab(): SimulatedLan {
  const lan = new SimulatedLan();
  const track = (name: string, weight: number) => ({ script: name, weight, reverse: false });
  const router = (name: string, number: number, more: Partial<VrrpInstance>): VrrpInstance =>
    instance({ name, virtualRouterId: number, priority: 150, ...more });
  const routers = [
    router("I1", 1, { state: "MASTER", virtualAddresses: [vip("10.9.0.50")], trackScripts: [track("chk", 0)] }),
    router("I2", 2, {
      state: "MASTER",
      interface: "eth1",
      virtualAddresses: [vip("10.9.1.50", { interface: "eth1" })],
    }),
    router("I3", 3, {
      virtualAddresses: [vip("10.9.0.53")],
      trackScripts: [track("chkw", -30), track("chkp", 10)],
    }),
  ];
  const scripts = [
    script("chk", { fall: 2, rise: 3 }),
    script("chkw", { weight: -30 }),
    script("chkp", { weight: 10 }),
  ];
  lan.add("a", configuration(routers, { scripts, syncGroups: [group("G", ["I1", "I2"])] }), own(1));
  const failing = new Set<string>();
  lan.scriptOutcome = (_, name) => ({ type: "exited", status: failing.has(name) ? 1 : 0 });
  const phase = (act: () => void, span: number) => {
    act();
    lan.run(seconds(span));
  };
  phase(() => lan.start("a"), 6.9);
  phase(() => failing.add("chk"), 4.2);
  phase(() => failing.delete("chk"), 8);
  phase(() => failing.add("chkw"), 2.5);
  phase(() => failing.delete("chkw"), 2.5);
  phase(() => lan.setLink("a", "eth1", false), 2);
  phase(() => lan.setLink("a", "eth1", true), 3);
  return lan;
}

describe("keepalived 2.2.7's first lab", () => {
  it("gives the same log", () => {
    const lan = firstLab();
    assert.deepEqual(ours(lan.log("a")), golden("lab-a"));
    assert.deepEqual(ours(lan.log("b")), golden("lab-b"));
  });

  it("gives the same adverts, bit for bit", () => {
    const lan = firstLab();
    const packets = captured("lab").flatMap(({ etherType, payload }) => {
      const packet = decodeIpv4(payload);
      if (etherType !== ETHERTYPE_IPV4 || !packet.ok || packet.value.protocol !== PROTOCOL_VRRP) return [];
      return [{ source: packet.value.source, packet: payload.toHex() }];
    });
    for (const [name, { eth0 }] of [["a", own(1)] as const, ["b", own(2)] as const]) {
      const sent = lan.outputs(name, "send-advert").map(({ output }) => output.packet);
      const seen = packets.flatMap(({ source, packet }) => (source === eth0 ? [packet] : []));
      assert.ok(seen.length >= 10);
      assert.deepEqual(sent, seen);
    }
  });

  it("gives the same gratuitous ARPs in the same order", () => {
    const lan = firstLab();
    const sent = lan.happenings.flatMap(({ output }) => (output.type === "gratuitous-arp" ? [output.address] : []));
    const seen = captured("lab").flatMap(({ etherType, payload }) => {
      const arp = decodeArp(payload);
      return etherType === ETHERTYPE_ARP && arp.ok && arp.value.senderIp === arp.value.targetIp
        ? [arp.value.senderIp]
        : [];
    });
    assert.equal(seen.length, 60);
    assert.deepEqual(sent, seen);
  });
});

describe("keepalived 2.2.7's third lab", () => {
  it("gives the same log", () => {
    const lan = thirdLab();
    // Which of two batches at the same time comes first is chance.
    const withoutArp = (lines: readonly string[]) => lines.filter((line) => !line.includes("gratuitous ARP"));
    assert.deepEqual(withoutArp(ours(lan.log("a"))), withoutArp(golden("lab3-a", "00:25:21 2026")));
    assert.equal(lan.instance("a", "I1").state, "BACKUP");
  });

  it("tells a FIFO the same", () => {
    const lines = readFileSync(new URL("lab3-fifo.txt", fixtures), "utf8").split("\n");
    const told = lines.flatMap(
      (line) => /^[\d.]+ ((?:INSTANCE|GROUP) "\w+" (?:MASTER|BACKUP|FAULT) \d+)$/.exec(line)?.[1] ?? [],
    );
    const notifications = thirdLab().outputs("a", "notify");
    const said = notifications.map(
      ({ output: { kind, name, state, priority } }) => `${kind} "${name}" ${state} ${priority}`,
    );
    assert.equal(said.length, 23);
    assert.deepEqual(said, told.slice(0, said.length));
  });
});

describe("The log of keepalived 2.2.7", () => {
  const pairs: Record<string, { readonly a: Partial<VrrpInstance>; readonly b: Partial<VrrpInstance> }> = {
    eq: { a: { priority: 100 }, b: { priority: 100 } },
    np: { a: { priority: 150, nopreempt: true }, b: { priority: 100 } },
    pd: { a: { priority: 150, preemptDelay: seconds(3) }, b: { priority: 100 } },
    own: { a: { priority: 255 }, b: { priority: 200 } },
    adv: { a: { priority: 150, advertInterval: seconds(2) }, b: { priority: 100 } },
    adv3: { a: { priority: 150, version: 3, advertInterval: seconds(2) }, b: { priority: 100, version: 3 } },
    ver: { a: { priority: 150, version: 3 }, b: { priority: 100 } },
    auth: { a: { priority: 150, authPass: "x" }, b: { priority: 100 } },
  };
  const what: Record<string, string> = {
    eq: "two equals meet: the one that is master stays",
    np: "nopreempt lets a lower priority be master",
    pd: "preempt_delay puts a take-over off",
    own: "an address owner starts",
    adv: "version 2 intervals differ: both are master",
    adv3: "version 3 intervals differ: the backup learns the master's",
    ver: "versions differ: both are master",
    auth: "only one of them has a password: both are master",
  };

  for (const [name, { a, b }] of Object.entries(pairs)) {
    it(`is written when ${what[name]}`, () => {
      const lan = new SimulatedLan();
      lan.add("a", configuration([instance(a)]), own(1));
      lan.add("b", configuration([instance(b)]), own(2));
      lan.start("b");
      lan.run(seconds(6));
      lan.start("a");
      lan.run(seconds(12));
      lan.stop("b");
      lan.run(seconds(5));
      lan.stop("a");
      lan.run(seconds(5));
      assert.deepEqual(ours(lan.log("a")), golden(`lab4-${name}-a`));
      assert.deepEqual(ours(lan.log("b")), golden(`lab4-${name}-b`));
    });
  }
});
