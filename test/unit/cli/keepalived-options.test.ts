/** keepalived's command line and what follows from it without running anything. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { configurationVerdict, keepalivedLine } from "../../../src/cli/keepalived-config-test.ts";
import { helpText } from "../../../src/cli/keepalived-help.ts";
import {
  facilityOf,
  KEEPALIVED_OPTIONS,
  parseKeepalivedOptions,
  SIGNAL_NUMBERS,
} from "../../../src/cli/keepalived-options.ts";
import { pidPaths } from "../../../src/cli/keepalived-pid-paths.ts";
import { load } from "../../../src/config/load.ts";
import { fileFor } from "../../../src/daemon/log/daemon-log.ts";
import { dumpPath } from "../../../src/daemon/supervisor/dumps.ts";

const parsed = (...words: string[]) => {
  const result = parseKeepalivedOptions(words);
  return result.ok ? Object.fromEntries(result.value.given) : result.error;
};

test("letters may be joined, and a value may follow at once or as the next word", () => {
  const expected = { "dont-fork": "", "log-console": "", "log-detail": "", "use-file": "/a.conf" };
  assert.deepEqual(parsed("-nlD", "-f", "/a.conf"), expected);
  assert.deepEqual(parsed("-nlDf/a.conf"), expected);
  assert.deepEqual(parsed("--dont-fork", "--log-console", "--log-detail", "--use-file=/a.conf"), expected);
  assert.deepEqual(parsed("--dont-f", "--log-c", "--log-d", "--use-file", "/a.conf"), expected);
});

test("an optional value follows at once or not at all", () => {
  assert.deepEqual(parsed("-t", "-f", "a"), { "config-test": "", "use-file": "a" });
  assert.deepEqual(parsed("-tlog.txt"), { "config-test": "log.txt" });
  assert.deepEqual(parsed("-t=log.txt"), { "config-test": "log.txt" });
  assert.deepEqual(parsed("--config-test=log.txt"), { "config-test": "log.txt" });
});

test("what is wrong with an option is named", () => {
  assert.equal(parsed("--nonsense"), "Unknown option --nonsense");
  assert.equal(parsed("--"), "Unknown option --");
  assert.equal(parsed("-n", "-Z"), "Unknown option -Z");
  assert.equal(parsed("-f"), "Missing parameter for option -f");
  assert.equal(parsed("--pid"), "Missing parameter for option --pid");
  assert.equal(parsed("--log-"), "Unknown option --log-");
  assert.equal(parsed("--vrrp=1"), "Option --vrrp takes no value");
  assert.equal(parsed("a.conf"), "Unexpected argument(s): a.conf");
});

test("every letter of keepalived's manual is taken", () => {
  const letters = KEEPALIVED_OPTIONS.flatMap(({ letter }) => letter ?? []);
  assert.equal([..."fPCBlDSgGuXVIRndprTcabxAsmMeitvh"].filter((letter) => !letters.includes(letter)).join(""), "");
  assert.equal(new Set(letters).size, letters.length);
});

test("the help names every option that keepalived's own help names", () => {
  const help = helpText("keepalived");
  const own = ["genhash", "perf", "debug", "no-mem-check", "ignore-sigint"];
  for (const { long } of KEEPALIVED_OPTIONS.filter((one) => !own.includes(one.long)))
    assert.match(help, new RegExp(`--${long}\\b`));
});

test("signals have keepalived's names and numbers", () => {
  assert.deepEqual(SIGNAL_NUMBERS, { STOP: 15, RELOAD: 1, DATA: 10, STATS: 12, JSON: 36, STATS_CLEAR: 63 });
});

test("a facility is a digit, local0 to local7, user or daemon", () => {
  const all = ["0", "local7", "user", "daemon", "8", "kern"];
  assert.deepEqual(all.map(facilityOf), [16, 23, 1, 3, undefined, undefined]);
});

test("pid files lie in /run, or below /run/keepalived when asked for or when there are several daemons", () => {
  const nothing = { usePidDir: false, instance: undefined, namespace: undefined };
  assert.deepEqual(pidPaths(new Map(), nothing), {
    parent: "/run/keepalived.pid",
    vrrp: "/run/vrrp.pid",
    checkers: "/run/checkers.pid",
  });
  assert.equal(pidPaths(new Map(), { ...nothing, usePidDir: true }).vrrp, "/run/keepalived/vrrp.pid");
  assert.equal(pidPaths(new Map(), { ...nothing, instance: "two" }).parent, "/run/keepalived/keepalived_two.pid");
  assert.equal(pidPaths(new Map([["vrrp_pid", "/x"]]), nothing).vrrp, "/x");
});

test("what belongs to a process or an instance stands before the extension", () => {
  assert.equal(fileFor("/var/log/k.log", "_vrrp"), "/var/log/k_vrrp.log");
  assert.equal(fileFor("/var/log.d/k", "_vrrp"), "/var/log.d/k_vrrp");
  const names = { instance: "two", networkNamespace: "blue" };
  assert.equal(dumpPath("/tmp/keepalived.data", names), "/tmp/keepalived.two.blue.data");
});

const verdictOf = (text: string, exists = () => true) =>
  configurationVerdict(
    load(["k.conf"], {
      files: {
        read: () => ({ ok: true, value: new TextEncoder().encode(text) }),
        glob: () => [],
        resolve: (_, path) => path,
      },
      hostname: "lb1",
      variables: {},
      random: () => 0,
    }),
    exists,
    () => true,
  );

const INSTANCE =
  "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n priority 100\n virtual_ipaddress {\n  10.0.0.1\n }\n}\n";

test("-t answers 0 for a clean file and 5 with `(file: Line N) message` for one with a mistake", () => {
  assert.deepEqual(verdictOf(INSTANCE), { status: 0, lines: [] });
  const { status, lines } = verdictOf(INSTANCE.replace("priority 100", "priority 100\n bogus 1"));
  assert.equal(status, 5);
  assert.match(lines.join("\n"), /^\(k\.conf: Line 5\) .*bogus/);
});

test("-t answers 5 for an interface that is not there, unless interfaces may come later", () => {
  const missing = verdictOf(INSTANCE, () => false);
  assert.deepEqual(missing, {
    status: 5,
    lines: [
      "WARNING - interface eth0 for vrrp_instance A doesn't exist",
      "Non-existent interface specified in configuration",
    ],
  });
  assert.equal(verdictOf(`global_defs {\n dynamic_interfaces\n}\n${INSTANCE}`, () => false).status, 0);
});

test("-t answers 6 for scripts without script security, whatever else there is", () => {
  const script = 'vrrp_script s {\n script "/bin/true"\n}\n';
  const tracked = INSTANCE.replace("priority 100", "track_script {\n  s\n }\n bogus");
  const { status, lines } = verdictOf(script + tracked);
  assert.equal(status, 6);
  assert.equal(lines.at(-1), "SECURITY VIOLATION - scripts are being executed but script_security not enabled.");
});

/** keepalived's verdicts on virtual servers; where a case says that the two differ on purpose, -t differs as well. */
test("-t answers as keepalived 2.2.7 does for the corpus of virtual servers", () => {
  const corpus = readFileSync(new URL("../../fixtures/keepalived/verdicts-lvs.md", import.meta.url), "utf8");
  const pattern = /^### (.+)\n\nkeepalived: (\w+)\. evenkeel: (\w+)[\s\S]*?```keepalived\n([\s\S]*?)```/gm;
  const cases = [...corpus.matchAll(pattern)];
  assert.ok(cases.length > 50, `${cases.length} cases`);
  const different: string[] = [];
  for (const [, name = "", theirs = "", ours = "", text = ""] of cases) {
    const expected = { ok: [0, 6], warning: [5, 6], error: [2] }[theirs];
    const { status } = verdictOf(text);
    if (expected?.includes(status)) continue;
    // A crash is not imitated; a difference is explained where the case is.
    if (theirs !== "crash" && theirs === ours) different.push(`${name}: ${theirs}, ours ${status}`);
  }
  assert.deepEqual(different, []);
});

test("a line of -t points at its file and line", () => {
  const { diagnostics } = load(["k.conf"], {
    files: {
      read: () => ({ ok: true, value: new TextEncoder().encode("vrrp_instance A {\n nonsense\n}\n") }),
      glob: () => [],
      resolve: (_, path) => path,
    },
    hostname: "lb1",
    variables: {},
    random: () => 0,
  });
  assert.match(keepalivedLine(diagnostics[0] as (typeof diagnostics)[number]), /^\(k\.conf: Line \d\) /);
});
