/** Whole files: the reference configuration against its model, the scenarios' and the lab's files against what is said of them. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CONTEXTS, INCLUDE_KEYWORDS } from "../../../src/config/keepalived/keywords.ts";
import { load } from "../../../src/config/load.ts";
import { memoryEnvironment } from "../../support/memory-files.ts";

const FIXTURES = new URL("../../fixtures/keepalived/", import.meta.url);
const fixture = (name: string) => readFileSync(new URL(name, FIXTURES), "utf8");

/** What `track_proxy` may name. */
const PROXY =
  "frontend web\n  mode http\n  bind :8080\n  timeout client 1s\n  default_backend app\nbackend app\n  mode http\n  timeout connect 1s\n  timeout server 1s\n  server a 10.0.0.1:80\n";

function loadFixture(name: string) {
  const files = { "/k": fixture(name), "/h": PROXY };
  const { configuration, diagnostics, dropped } = load(["/k", "/h"], memoryEnvironment(files));
  assert.equal(dropped, 0);
  const said = diagnostics.map(({ severity, code, message, span }) => {
    const { line, column } = span.source.positionOf(span.start);
    return `${line}:${column} ${severity} ${code.replace("keepalived/", "")}: ${message}`;
  });
  return { vrrp: configuration.vrrp, daemon: configuration.daemon, director: configuration.director, said };
}

test("every supported keyword has the effect that the reference configuration's model shows", () => {
  const { vrrp, director, daemon, said } = loadFixture("reference.conf");
  assert.deepEqual(said, [
    "112:5 warning unicast-without-peers: (inside) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration.",
    "242:15 warning not-implemented: check_path data_plane: tunnels of type gue are not looked at: 10.0.1.2 itself is checked",
    "309:7 note obsolete: SMTP_CHECK host blocks are obsolete: what stands inside can stand outside",
    "314:7 warning obsolete: nb_get_retry is deprecated - please use 'retry'",
    '347:5 warning obsolete: Keyword "vrrp_vmac_garp_intvl" is deprecated - please use "vrrp_garp_extra_if"',
    "402:5 note host-prefix: '192.0.2.99' has no prefix length: /32 is taken",
    "423:17 warning single-member: Sync group 'tracked' has only 1 virtual router - this probably isn't what you want",
    '480:5 warning obsolete: Keyword "vmac_garp_intvl" is deprecated - please use "garp_extra_if"',
    "512:15 warning strict-drops-traffic: traffic to the addresses of 'strict' will be dropped: strict mode with priority 100 does not accept it",
  ]);
  assert.deepEqual(JSON.parse(JSON.stringify(vrrp)), JSON.parse(fixture("reference.json")));
  assert.deepEqual(JSON.parse(JSON.stringify(director)), JSON.parse(fixture("reference-director.json")));
  assert.deepEqual(JSON.parse(JSON.stringify(daemon)), JSON.parse(fixture("reference-daemon.json")));
});

test("the reference configuration uses every supported keyword", () => {
  // vrrp_strict would clear half of what the others say: keepalived-verdicts-vrrp.test.ts has it.
  const words = new Set(["vrrp_strict", ...fixture("reference.conf").split(/\s+/)]);
  const supported = [...CONTEXTS.values()].flatMap((context) =>
    [...context].filter(([, { support }]) => support === "supported").map(([name]) => name),
  );
  assert.ok(supported.length > 70);
  assert.deepEqual(
    supported.filter((name) => !words.has(name)),
    [],
  );
});

const TRUNCATED = "warning auth-pass-too-long: Truncating auth_pass to 8 characters";
const SECURITY = "note script-security: Scripts are executed but enable_script_security is not set";
const hostPrefix = (address: string) => `note host-prefix: '${address}' has no prefix length: /32 is taken`;

const expected: Readonly<Record<string, readonly string[]>> = {
  "s1-lb1.conf": [`1:1 ${SECURITY}`, `12:12 ${TRUNCATED}`],
  "s2-lb1.conf": [],
  "s4-lb1.conf": [`1:1 ${SECURITY}`, `14:19 ${TRUNCATED}`],
  "s5-lb1.conf": [`19:9 ${hostPrefix("178.9.2.220")}`, `34:9 ${hostPrefix("187.2.9.120")}`],
  "s5-lb2.conf": [`19:9 ${hostPrefix("178.9.2.220")}`, `34:9 ${hostPrefix("187.2.9.120")}`],
  "golden-lab.conf": [`13:19 ${TRUNCATED}`, `17:9 ${hostPrefix("10.9.0.101")}`],
  "golden-lab2-ah.conf": [
    "6:13 error auth-ah: (U) auth_type AH is not implemented: VRRP dropped it in 2004 and next to nobody uses it",
  ],
  "golden-lab2-uni.conf": [],
  "golden-lab2-v3.conf": [],
  "golden-lab2-v6.conf": [],
  "golden-lab3.conf": [],
};

for (const [name, said] of Object.entries(expected)) {
  test(`${name} loads with exactly what is to be said of it`, () => assert.deepEqual(loadFixture(name).said, said));
}

test("S1 and S4 give one instance with its password cut and its script tracked", () => {
  for (const [name, id, script] of [
    ["s1-lb1.conf", 50, "chk_keepalive"],
    ["s4-lb1.conf", 33, "chk_nginx"],
  ] as const) {
    const [instance] = loadFixture(name).vrrp?.instances ?? [];
    assert.deepEqual([instance?.virtualRouterId, instance?.priority, instance?.authPass], [id, 100, "netology"]);
    assert.deepEqual(instance?.trackScripts, [{ script, weight: 0, reverse: false }]);
  }
});

test("S2 gives its address with device and label", () => {
  const [address] = loadFixture("s2-lb1.conf").vrrp?.instances[0]?.virtualAddresses ?? [];
  assert.deepEqual(
    [address?.address, address?.prefixLength, address?.interface, address?.label],
    ["192.168.1.10", 24, "eth1", "eth1:10"],
  );
});

test("S5 gives two instances that move together", () => {
  for (const [name, state, priority] of [
    ["s5-lb1.conf", "MASTER", 100],
    ["s5-lb2.conf", "BACKUP", 49],
  ] as const) {
    const { vrrp } = loadFixture(name);
    assert.deepEqual(
      vrrp?.syncGroups.map(({ name, members }) => [name, members]),
      [["VG1", ["RH_EXT", "RH_INT"]]],
    );
    assert.deepEqual(
      vrrp?.instances.map((one) => [
        one.name,
        one.state,
        one.interface,
        one.virtualRouterId,
        one.priority,
        one.authPass,
        one.virtualAddresses[0]?.address,
      ]),
      [
        ["RH_EXT", state, "eth0", 1, priority, "passw123", "178.9.2.220"],
        ["RH_INT", state, "eth1", 2, priority, "passw123", "187.2.9.120"],
      ],
    );
  }
});

test("docs/reference/keepalived.md lists every keyword of every block with what becomes of it, and no other", () => {
  const page = readFileSync(new URL("../../../docs/reference/keepalived.md", import.meta.url), "utf8");
  const listed = new Map<string, Map<string, string>>();
  let rows = new Map<string, string>();
  for (const line of page.split("\n")) {
    const heading = /^## (?:`(.+)`|Outside every block)$/.exec(line);
    if (heading !== null) {
      rows = new Map();
      listed.set(heading[1] ?? "", rows);
    }
    const row = /^\| `([^`]+)` \| (supported|no effect|not yet) \| .*\|$/.exec(line);
    if (row?.[1] !== undefined) rows.set(row[1], row[2] ?? "");
  }
  const words = { supported: "supported", accepted: "no effect", missing: "not yet" };
  const included = INCLUDE_KEYWORDS.map((name) => [name, "supported"] as const);
  const known = [...CONTEXTS].map(([context, keywords]) => {
    const entries = [...keywords].map(([name, { support }]) => [name, words[support]] as const);
    return [context, Object.fromEntries(context === "" ? [...entries, ...included] : entries)];
  });
  assert.deepEqual(
    Object.fromEntries([...listed].map(([name, of]) => [name, Object.fromEntries(of)])),
    Object.fromEntries(known),
  );
});

test("a block that a keyword opens has a table, and names in tables are whole", () => {
  for (const [context, keywords] of CONTEXTS) {
    for (const [name, { block, least, most }] of keywords) {
      assert.match(name, /^[A-Za-z0-9_-]+$/, `in ${context}`);
      assert.ok(block === undefined || block === "list" || CONTEXTS.has(block), `${context} ${name} opens ${block}`);
      assert.ok(least <= most, `${context} ${name}`);
    }
  }
});
