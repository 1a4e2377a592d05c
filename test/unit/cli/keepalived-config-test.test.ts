/** `keepalived -t`: its exit status for every VRRP case that keepalived 2.2.7 was asked about (verdicts-vrrp.md). */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { configurationVerdict } from "../../../src/cli/keepalived-config-test.ts";
import { load } from "../../../src/config/load.ts";
import { memoryEnvironment } from "../../support/memory-files.ts";
import { verdictsIn } from "../../support/vrrp-verdicts.ts";

const page = readFileSync(new URL("../../fixtures/keepalived/verdicts-vrrp.md", import.meta.url), "utf8");
const HOST = new Set(["lo", "eth0", "eth1", "eth2"]);
/** What the page calls ok may be 6, which it says in its head. */
const STATUSES: Readonly<Record<string, readonly number[]>> = { ok: [0, 6], warning: [5], error: [2], crash: [] };

const verdict = (text: string) =>
  configurationVerdict(
    load(["/k"], memoryEnvironment({ "/k": text })),
    (name) => HOST.has(name),
    (program) => program === "/bin/true",
  );

/** docs/guides/keepalived.md, "Where -t differs". */
const DIFFERS: Readonly<Record<string, number>> = {
  // What evenkeel does not have.
  "auth ah": 5,
  "old unicast checksum": 5,
  "use vmac addr": 5,
  "vip use vmac dev": 5,
  "instance after": 5,
  "static track group": 5,
  bfd: 5,
  "lvs sync daemon": 5,
  // What later versions of keepalived have.
  "v3 checksum": 0,
  "timer expired": 0,
  "owner ignore": 0,
  "no virtual ipaddress": 0,
  "no interface unicast": 0,
  "rule inet6": 0,
  // What is read another way.
  "auth no type": 5,
  "use vmac existing if": 0,
  linkbeat: 0,
  "instance names": 5,
  "child wait range": 5,
  "version twice": 0,
  "v6 version 2 strict": 0,
};

test("-t has keepalived's status for all VRRP cases but those that are listed", () => {
  const differing = verdictsIn(page).flatMap((one) => {
    const { status } = verdict(one.text);
    return STATUSES[one.keepalived]?.includes(status) === true ? [] : [[one.name, status]];
  });
  assert.deepEqual(Object.fromEntries(differing), DIFFERS);
});

const BASE = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n10.0.0.1/24\n}\n";

/** Asked of keepalived 2.2.7 on a host with eth0, eth1 and eth2. */
const SMALL: readonly (readonly [what: string, status: number, text: string])[] = [
  ["a script without a name", 2, "vrrp_script {\nscript /bin/true\n}\n"],
  ["an instance without a name", 5, "vrrp_instance {\ninterface eth0\n}\n"],
  ["a group without a name", 5, "vrrp_sync_group {\ngroup {\nA\n}\n}\n"],
  ["a track file without a name", 2, "track_file {\n}\n"],
  ["a priority without a number", 2, `${BASE}priority\n}\n`],
  ["an interface without a name", 2, "vrrp_instance A {\ninterface\nvirtual_router_id 4\n}\n"],
  ["a router id without a number", 2, "vrrp_instance A {\ninterface eth0\nvirtual_router_id\n}\n"],
  ["a password without text", 2, `${BASE}authentication {\nauth_type PASS\nauth_pass\n}\n}\n`],
  ["a route without its gateway", 2, `${BASE}virtual_routes {\n10.8.0.0/16 via\n}\n}\n`],
  ["a rule without its table", 2, `${BASE}virtual_rules {\nfrom 10.0.0.0/8 table\n}\n}\n`],
  ["a VIP without its device", 5, `${BASE}virtual_ipaddress_excluded {\n10.0.0.9 dev\n}\n}\n`],
  ["a tracked interface without its weight", 5, `${BASE}track_interface {\neth0 weight\n}\n}\n`],
  ["a router_id without a name", 5, "global_defs {\nrouter_id\n}\n"],
  ["a block that is not closed", 5, BASE],
  ["an unknown block", 5, "foo {\nbar\n}\n"],
  ["an empty file", 0, ""],
  ["a comment alone", 0, "# nothing\n"],
  ["an include that is not there", 0, "include /nonexistent/x.conf\n"],
  ["a script that is there, without script security", 6, `${BASE}notify_master /bin/true\n}\n`],
  ["a script that is not there", 0, `${BASE}notify_master /nowhere\n}\n`],
  ["a script with script security", 0, `global_defs {\nenable_script_security\n}\n${BASE}notify_master /bin/true\n}\n`],
  ["a virtual server without an address", 2, "virtual_server {\n}\n"],
  ["a real server without an address", 2, "virtual_server 10.0.0.1 80 {\nreal_server {\n}\n}\n"],
];

for (const [what, status, text] of SMALL)
  test(`-t ends with ${status} for ${what}`, () => {
    assert.equal(verdict(text).status, status);
  });
