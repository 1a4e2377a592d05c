/**
 * ipvsadm over the real data plane: what the captures say, traffic through NAT, DR and TUN with the very listings of the
 * kernel's IPVS, and the commands as they are typed.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type OpenedPlane, openPlane } from "../../src/daemon/plane/open.ts";
import { removeBpffs } from "../../src/sys/bpffs.ts";
import { after, before, test } from "../support/bpf-tests.ts";
import { capturedSections, DIFFERENT } from "../support/ipvsadm-captures.ts";
import { machine, playSection } from "../support/ipvsadm-run.ts";

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const run = mkdtempSync("/run/ek-ipvsadm");
process.env.EVENKEEL_RUN = run;
let plane: OpenedPlane;

before(() => {
  plane = openPlane({ role: "command" });
});

after(() => {
  plane.clear();
  plane.close();
  removeBpffs(`${run}/bpf`);
  rmSync(run, { recursive: true, force: true });
});

for (const section of capturedSections().filter(({ title }) => title !== DIFFERENT)) {
  test(`as ipvsadm, in the kernel: ${section.title}`, async () => {
    plane.flush();
    plane.setTimeouts({ tcp: 900, tcpFin: 120, udp: 300 });
    await playSection(section, machine({ plane }));
  });
}

/**
 * Ports of clients and the time that is left differ from run to run, and connections come in the order of a hash. How TCP
 * puts acknowledgements together is a matter of timing, so of its packets and bytes only those that must be 0 are kept.
 */
function comparable(text: string): string[] {
  const rows = text
    .replaceAll(/\(size=\d+\)/g, "(size=N)")
    .replaceAll(/^(TCP|UDP) \d\d:\d\d /gm, "$1 MM:SS ")
    .replaceAll(/(10\.1\.0\.2):[1-9]\d* */g, (whole) => "10.1.0.2:PORT".padEnd(whole.length))
    .replaceAll(/^TCP {2}\S+:\d+( +\d+){5}\n(?: {2}->.*\n)+/gm, (rowsOfTcp) =>
      rowsOfTcp.replaceAll(/(?<=^.{42}.*) +[1-9]\d*(?= |$)/gm, (number) => "N".padStart(number.length)),
    )
    .split("\n");
  const first = rows.findIndex((row) => row.startsWith("pro expire"));
  return [...rows.slice(0, first), ...rows.slice(first).toSorted()];
}

test("after traffic through NAT, DR and TUN the listings are those of the kernel's IPVS", () => {
  const script = `
    mount --make-rprivate /; mount -t tmpfs tmp /run; mkdir -p /run/netns
    for x in d s1 s2; do mkdir -p /run/$x/bpf; mount -t bpf bpf /run/$x/bpf; done
    tunnel() { ip netns exec $1 env EVENKEEL_RUN=/run/$1 "$EVENKEEL" real --vip 10.1.0.100 --mode tun >/dev/null; }
    TUNNEL=tunnel
    . "$SCRIPT"`;
  const { status, stdout, stderr } = spawnSync("unshare", ["--net", "--mount", "bash", "-c", script], {
    encoding: "utf8",
    timeout: 180_000,
    env: {
      ...process.env,
      EVENKEEL: path("bin/evenkeel"),
      EVENKEEL_RUN: "/run/d",
      IPVSADM: path("bin/ipvsadm"),
      NODE: process.execPath,
      TRAFFIC: path("test/fixtures/ipvsadm/traffic.mjs"),
      SCRIPT: path("test/fixtures/ipvsadm/traffic.sh"),
    },
  });
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.deepEqual(comparable(stdout), comparable(readFileSync(path("test/fixtures/ipvsadm/traffic.txt"), "utf8")));
});

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function typed(command: string, input = ""): Outcome {
  const { status, stdout, stderr } = spawnSync("bash", ["-c", command], {
    encoding: "utf8",
    input,
    timeout: 60_000,
    cwd: path("."),
  });
  return { status, stdout, stderr };
}

test("the names ipvsadm, ipvsadm-save and ipvsadm-restore are commands, and what they leave stays without them", () => {
  plane.flush();
  const saved = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m -w 3\n";
  const silent = { status: 0, stdout: "", stderr: "" };
  assert.deepEqual(typed("bin/ipvsadm-restore", `# saved\n${saved}`), silent);
  assert.deepEqual(typed("bin/ipvsadm-save -n"), { ...silent, stdout: saved });
  assert.deepEqual(typed("bin/evenkeel ipvsadm -S -n"), { ...silent, stdout: saved });
  assert.deepEqual(typed("bin/ipvsadm -D -t 10.0.0.9:80"), { status: 255, stdout: "", stderr: "No such service\n" });
  assert.deepEqual(typed("bin/ipvsadm -R", "ipvsadm -Z\nipvsadm -C\n"), silent);
  assert.deepEqual(typed("bin/ipvsadm-save -n"), silent);
  assert.equal(typed("bin/ipvsadm").stdout.split("\n")[1], "Prot LocalAddress:Port Scheduler Flags");
});

test("a listing whose reader goes away ends quietly", () => {
  plane.flush();
  const lines = Array.from({ length: 3000 }, (_, n) => `-A -t 10.${n >> 8}.${n & 255}.1:80 -s rr`);
  assert.equal(typed("bin/ipvsadm -R", `${lines.join("\n")}\n`).stderr, "");
  const { stdout, stderr } = typed("bin/ipvsadm -Ln | head -n 1; echo $PIPESTATUS >&2");
  assert.match(stdout, /^IP Virtual Server version 1\.2\.1 \(size=\d+\)\n$/);
  assert.match(stderr, /^(0|141)\n$/);
  plane.flush();
});

test("--json says what the tables hold", () => {
  plane.flush();
  typed("bin/ipvsadm -R", "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m -w 3\n");
  const { table, services } = JSON.parse(typed("bin/ipvsadm -L --json").stdout);
  assert.equal(table.connections, 0);
  assert.deepEqual(services[0].key, { kind: "address", protocol: "tcp", address: "10.0.0.1", port: 80 });
  assert.equal(services[0].settings.owner, "command");
  assert.equal(services[0].servers[0].settings.weight, 3);
  assert.equal(services[0].servers[0].counters.bytesIn, 0);
  assert.deepEqual(JSON.parse(typed("bin/ipvsadm -Lc --json").stdout).connections, []);
  assert.deepEqual(JSON.parse(typed("bin/ipvsadm -L --timeout --json").stdout).timeouts, {
    tcp: 900,
    tcpFin: 120,
    udp: 300,
  });
});
