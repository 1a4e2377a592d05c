/** `evenkeel check --peers`: what the files of one LAN's routers say of each other. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { comparePeers } from "../../../src/config/keepalived/peers.ts";
import { load } from "../../../src/config/load.ts";
import { Diagnostics } from "../../../src/config/text/diagnostic.ts";
import { memoryEnvironment } from "../../support/memory-files.ts";

const BASE: Readonly<Record<string, string>> = {
  interface: "eth0",
  virtual_router_id: "51",
  priority: "100",
  virtual_ipaddress: "{\n10.0.0.1/24\n}",
};

/** One keyword a line; undefined leaves one away. The name is on line 1, `interface` on 2, the id on 3, priority on 4. */
function instance(more: Readonly<Record<string, string | undefined>> = {}, name = "VI_1"): string {
  const lines = Object.entries({ ...BASE, ...more }).filter(([, value]) => value !== undefined);
  return `vrrp_instance ${name} {\n${lines.map(([keyword, value]) => `${keyword} ${value}`).join("\n")}\n}\n`;
}

function compared(...texts: string[]): string[] {
  const files = texts.map((text, index) => ({ file: `${"abcdef"[index]}.conf`, text }));
  const routers = files.map(({ file, text }) => {
    const { configuration, places } = load([file], memoryEnvironment({ [file]: text }));
    assert.ok(configuration.vrrp !== undefined);
    return { file, model: configuration.vrrp, places };
  });
  const diagnostics = new Diagnostics();
  comparePeers(routers, diagnostics);
  return diagnostics.list.map(({ severity, code, message, span }) => {
    const { line, column } = span.source.positionOf(span.start);
    return `${span.source.name}:${line}:${column} ${severity} ${code.replace("keepalived/peers-", "")}: ${message}`;
  });
}

const BETTER = { priority: "150" };
const auth = (type: string, pass: string) => `{\nauth_type ${type}\nauth_pass ${pass}\n}`;
const script = (weight: number) => `vrrp_script chk {\nscript /bin/true\nweight ${weight}\n}\n`;
const TRACK = "{\nchk\n}";
const MASTERS = "and both will be MASTER";

const cases: readonly [name: string, files: readonly string[], said: readonly string[]][] = [
  ["two routers that fit give nothing", [instance(BETTER), instance()], []],
  ["one router alone is not compared", [instance()], []],
  ["three routers that fit give nothing", [instance(BETTER), instance(), instance({ priority: "50" })], []],
  [
    "a shared address with two ids is two virtual routers",
    [instance(BETTER), instance({ virtual_router_id: "52" })],
    [
      "a.conf:3:1 error vrid-differs: VI_1 of a.conf and VI_1 of b.conf (b.conf:3:1) share 10.0.0.1 but have VRID 51 and 52: both will be MASTER",
    ],
  ],
  [
    "versions have to be one",
    [instance({ ...BETTER, version: "3" }), instance()],
    [
      `a.conf:8:1 error version-differs: VI_1 of a.conf speaks version 3 and VI_1 of b.conf (b.conf:1:15) version 2: each drops the other's adverts ${MASTERS}`,
    ],
  ],
  [
    "passwords have to be one",
    [instance({ ...BETTER, authentication: auth("PASS", "one") }), instance({ authentication: auth("PASS", "two") })],
    [
      `a.conf:8:1 error password-differs: VI_1 of a.conf has another password than VI_1 of b.conf (b.conf:8:1): each drops the other's adverts ${MASTERS}`,
    ],
  ],
  [
    "passwords that are one in their first 8 bytes are one",
    [
      instance({ ...BETTER, authentication: auth("PASS", "12345678x") }),
      instance({ authentication: auth("PASS", "12345678y") }),
    ],
    [],
  ],
  [
    "a password on one side only is none",
    [instance(BETTER), instance({ authentication: auth("PASS", "two") })],
    [
      `a.conf:1:15 error auth-type-differs: VI_1 of a.conf has no password and VI_1 of b.conf (b.conf:8:1) has one: each drops the other's adverts ${MASTERS}`,
    ],
  ],
  [
    "version 2 wants one interval",
    [instance({ ...BETTER, advert_int: "1" }), instance({ advert_int: "2" })],
    [
      "a.conf:8:1 error interval-differs: VI_1 of a.conf sends adverts every 1 s and VI_1 of b.conf (b.conf:8:1) every 2 s: in version 2 each drops the other's and both will be MASTER",
    ],
  ],
  [
    "version 3 learns the interval",
    [instance({ ...BETTER, version: "3", advert_int: "0.1" }), instance({ version: "3" })],
    [
      "a.conf:9:1 note interval-learned: VI_1 of a.conf sends adverts every 0.1 s and VI_1 of b.conf (b.conf:1:15) every 1 s: the time until a failure is noticed depends on who is MASTER",
    ],
  ],
  [
    "lists of addresses are compared as sets",
    [
      instance({ ...BETTER, virtual_ipaddress: "{\n10.0.0.1/24\n10.0.0.2/24\n}" }),
      instance({ virtual_ipaddress: "{\n10.0.0.3/24\n10.0.0.1/24\n}" }),
    ],
    [
      "a.conf:5:1 warning address-list-differs: Virtual addresses differ: only VI_1 of a.conf has 10.0.0.2, VI_1 of b.conf (b.conf:5:1) has 10.0.0.3; keepalived up to 2.3.2 drops the adverts and both will be MASTER",
    ],
  ],
  [
    "an address that one lacks is named",
    [instance({ ...BETTER, virtual_ipaddress: "{\n10.0.0.1/24\n10.0.0.2/24\n}" }), instance()],
    [
      "a.conf:5:1 warning address-list-differs: Virtual addresses differ: only VI_1 of a.conf has 10.0.0.2 (VI_1 of b.conf (b.conf:5:1)); keepalived up to 2.3.2 drops the adverts and both will be MASTER",
    ],
  ],
  [
    "checksums of version 3 have two styles",
    [instance({ ...BETTER, version: "3", v3_checksum_as_v2: "on" }), instance({ version: "3" })],
    [
      "a.conf:9:1 warning checksum-style-differs: VI_1 of a.conf and VI_1 of b.conf (b.conf:1:15) differ in v3_checksum_as_v2: keepalived takes the other's adverts for damaged and both will be MASTER",
    ],
  ],
  [
    "a group and unicast do not meet",
    [instance({ ...BETTER, unicast_peer: "{\n10.0.0.3\n}" }), instance()],
    [
      "b.conf:1:15 error unicast-multicast-mixed: VI_1 of b.conf sends to the group 224.0.0.18 and VI_1 of a.conf (a.conf:8:1) to unicast peers: they may not hear each other and both be MASTER",
    ],
  ],
  [
    "unicast peers name each other",
    [
      instance({ ...BETTER, unicast_src_ip: "10.0.0.2", unicast_peer: "{\n10.0.0.3\n}" }),
      instance({ unicast_src_ip: "10.0.0.3", unicast_peer: "{\n10.0.0.4\n}" }),
    ],
    [
      "b.conf:9:1 error not-named: VI_1 of b.conf sends its adverts to 10.0.0.4, not to 10.0.0.2 of VI_1 of a.conf (a.conf:9:1), which will not hear it",
    ],
  ],
  [
    "a source is one host's",
    [instance({ ...BETTER, mcast_src_ip: "10.0.0.2" }), instance({ mcast_src_ip: "10.0.0.2" })],
    ["a.conf:1:15 error same-source: VI_1 of a.conf and VI_1 of b.conf (b.conf:1:15) both send from 10.0.0.2"],
  ],
  [
    "groups have to be one",
    [instance({ ...BETTER, mcast_dst_ip: "224.0.0.99" }), instance()],
    [
      "a.conf:8:1 error group-differs: VI_1 of a.conf sends to the group 224.0.0.99 and VI_1 of b.conf (b.conf:1:15) to 224.0.0.18: neither hears the other and both will be MASTER",
    ],
  ],
  [
    "equal priorities leave it to chance",
    [instance(), instance()],
    [
      "a.conf:4:1 warning equal-priority: VI_1 of a.conf and VI_1 of b.conf (b.conf:4:1) both have priority 100: whoever comes first is MASTER, and the higher address when both are",
    ],
  ],
  [
    "there is one owner",
    [instance({ priority: "255" }), instance({ priority: "255" })],
    [
      "a.conf:4:1 error two-owners: VI_1 of a.conf and VI_1 of b.conf (b.conf:4:1) both have priority 255: there can be one owner only, and both will be MASTER",
    ],
  ],
  [
    "nopreempt with state MASTER on all is nowhere",
    [instance({ ...BETTER, state: "MASTER", nopreempt: "" }), instance({ state: "MASTER", nopreempt: "" })],
    [
      "a.conf:9:1 warning nopreempt-cleared: nopreempt holds on no router of VI_1 of a.conf: state MASTER, or priority 255, clears it on all of them",
    ],
  ],
  [
    "nopreempt on the lesser router is wasted",
    [instance(BETTER), instance({ nopreempt: "" })],
    [
      "b.conf:8:1 warning nopreempt-wasted: nopreempt of VI_1 of b.conf stops nobody: VI_1 of a.conf (a.conf:1:15) has the higher priority and takes over whenever it comes back",
    ],
  ],
  ["nopreempt on the better router is well", [instance({ ...BETTER, nopreempt: "" }), instance()], []],
  [
    "a weight below the gap moves nothing",
    [script(-20) + instance({ ...BETTER, track_script: TRACK }), instance()],
    [
      "a.conf:12:1 warning weight-too-small: Nobody takes over when 'chk' fails on VI_1 of a.conf: its priority falls from 150 to 130, and VI_1 of b.conf (b.conf:1:15) has 100 and stays BACKUP",
    ],
  ],
  ["a weight above the gap moves it", [script(-60) + instance({ ...BETTER, track_script: TRACK }), instance()], []],
  [
    "a positive weight is lost by failing",
    [
      script(10) + instance({ priority: "105", track_script: TRACK }),
      script(10) + instance({ priority: "100", track_script: TRACK }),
    ],
    [],
  ],
  [
    "equal after a failure is not lower",
    [script(-50) + instance({ ...BETTER, track_script: TRACK }), instance()],
    [
      "a.conf:12:1 warning weight-too-small: Nobody takes over when 'chk' fails on VI_1 of a.conf: its priority falls from 150 to 100, and VI_1 of b.conf (b.conf:1:15) has 100 and stays BACKUP",
    ],
  ],
  [
    "routers with nopreempt take nothing from a live master",
    [script(-60) + instance({ ...BETTER, track_script: TRACK, nopreempt: "" }), instance({ nopreempt: "" })],
    [
      "a.conf:12:1 warning weight-too-small: Nobody takes over when 'chk' fails on VI_1 of a.conf: its priority falls from 150 to 90, and the others have nopreempt and leave it alone",
    ],
  ],
  [
    "a failure that means FAULT always moves it",
    [script(0) + instance({ ...BETTER, track_script: TRACK }), instance()],
    [],
  ],
  [
    "an instance that only one router has is alone",
    [
      instance(BETTER) + instance({ virtual_router_id: "60", virtual_ipaddress: "{\n10.0.9.1/24\n}" }, "VI_2"),
      instance(),
    ],
    [
      "a.conf:9:15 warning alone: VI_2 of a.conf has nobody to take over: b.conf has no instance with VRID 60 or with 10.0.9.1",
    ],
  ],
  [
    "one id for other addresses is a mishap of one LAN",
    [instance(BETTER), instance({ virtual_ipaddress: "{\n10.0.9.1/24\n}" }, "other")],
    [
      "a.conf:1:15 warning alone: VI_1 of a.conf has nobody to take over: b.conf has no instance with VRID 51 or with 10.0.0.1",
      "b.conf:1:15 warning alone: other of b.conf has nobody to take over: a.conf has no instance with VRID 51 or with 10.0.9.1",
      "b.conf:3:1 warning duplicate-vrid: other of b.conf and VI_1 of a.conf (a.conf:3:1) are different virtual routers with one VRID 51: on one LAN each drops the other's adverts",
    ],
  ],
  [
    "IPv4 and IPv6 are different virtual routers",
    [
      instance(BETTER) + instance({ virtual_ipaddress: "{\nfe80::1/64\n}", priority: "150" }, "six"),
      instance() + instance({ virtual_ipaddress: "{\nfe80::1/64\n}" }, "six"),
    ],
    [],
  ],
  [
    "sync groups are one",
    [
      `vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\n}\n${instance(BETTER)}${instance({ ...BETTER, virtual_router_id: "52", virtual_ipaddress: "{\n10.0.1.1/24\n}" }, "VI_2")}`,
      instance() + instance({ virtual_router_id: "52", virtual_ipaddress: "{\n10.0.1.1/24\n}" }, "VI_2"),
    ],
    [
      "a.conf:1:17 warning group-members-differ: Sync group 'G' of a.conf differs from b.conf: VI_1 and VI_2 are not in one group there (VI_1 of b.conf)",
    ],
  ],
];

for (const [name, files, said] of cases) test(name, () => assert.deepEqual(compared(...files), said));
