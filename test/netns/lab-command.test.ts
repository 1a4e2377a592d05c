/** `evenkeel lab` as it is typed, what is left when it is killed, and the lab of an ordinary user. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Lab } from "../../src/lab/lab.ts";
import { isAlive, readProcess } from "../../src/lab/processes.ts";
import { knownLabs } from "../../src/lab/state.ts";
import { until } from "../support/until.ts";

const EVENKEEL = fileURLToPath(new URL("../../bin/evenkeel", import.meta.url));
const ROUTER = fileURLToPath(new URL("../fixtures/lab/router.lab.yml", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "lab-command-"));
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function lab(args: readonly string[], before: readonly string[] = [], env = process.env): Outcome {
  const [program = "", ...rest] = [...before, EVENKEEL, "lab", ...args];
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: "utf8", timeout: 60_000, env });
  return { status, stdout, stderr };
}

/** A lab that hangs while it comes up: its nodes are there, and its first command never ends. */
function startHanging(name: string): ChildProcess {
  const file = join(folder, `${name}.lab.yml`);
  writeFileSync(file, `nodes:\n  a: { exec: [sleep 1005] }\n  b: {}\nlinks: [[a, b]]\n`);
  return spawn(EVENKEEL, ["lab", "up", file], { stdio: "ignore" });
}

const initsOf = (name: string) =>
  until(`the nodes of ${name} are up`, () => {
    const running = knownLabs()
      .find((on) => on.name === name)
      ?.load()?.running;
    return running === undefined ? undefined : [running.holder, ...Object.values(running.nodes)];
  });

test("up, ps, exec, link, pause, kill and down do what they say", () => {
  const came = lab(["up", ROUTER]);
  assert.equal(came.status, 0, came.stderr);
  assert.match(came.stdout, /^lab "router" is up; logs are in /m);
  const shown = lab(["ps", "--json"]);
  const { nodes } = JSON.parse(shown.stdout) as {
    nodes: { name: string; links: unknown; processes: { program: string }[] }[];
  };
  assert.deepEqual(
    nodes.map((node) => node.name),
    ["a", "r", "b"],
  );
  assert.deepEqual(nodes[0]?.links, [
    { interface: "eth0", segment: "left", up: true, carrier: true, addresses: ["10.1.0.2/24"] },
  ]);
  assert.deepEqual(
    nodes[2]?.processes.map((one) => one.program),
    ["tree", "tree", "tree"],
  );
  assert.deepEqual(lab(["exec", "r", "--", "sh", "-c", "hostname; exit 5"]), { status: 5, stdout: "r\n", stderr: "" });
  assert.equal(lab(["link", "a", "eth0", "down"]).status, 0);
  assert.match(lab(["ps"]).stdout, /^a +eth0 +left +no carrier +10\.1\.0\.2\/24$/m);
  assert.deepEqual(lab(["pause", "b", "tree"]), {
    status: 0,
    stdout: "SIGSTOP to 3 processes of tree on b\n",
    stderr: "",
  });
  assert.match(lab(["ps"]).stdout, /^b +tree +\d+ +\d+ +paused/m);
  assert.equal(lab(["resume", "b", "tree"]).status, 0);
  assert.deepEqual(lab(["kill", "b", "tree", "--signal", "term"]).stdout, "SIGTERM to 1 process of tree on b\n");
  assert.equal(lab(["kill", "b", "tree", "-s", "NOTHING"]).stderr, 'evenkeel lab: "NOTHING" is no signal\n');
  assert.match(lab(["up", ROUTER]).stderr, /a lab called "router" is running already/);
  assert.deepEqual(lab(["down"]), { status: 0, stdout: 'lab "router" is down\n', stderr: "" });
  assert.deepEqual(lab(["down"]), { status: 0, stdout: "there is no such lab: nothing to do\n", stderr: "" });
  assert.deepEqual(lab(["ps"]), { status: 1, stdout: "", stderr: "evenkeel lab: no lab is running\n" });
});

test("a file with a mistake makes nothing and shows the place", () => {
  const file = join(folder, "wrong.lab.yml");
  writeFileSync(file, "nodes:\n  a: { knd: client }\n");
  const { status, stderr } = lab(["up", file]);
  assert.equal(status, 1);
  assert.match(stderr, /wrong\.lab\.yml:2:8: error\[lab\/unknown-key\]: node "a" has no key "knd"/);
  assert.match(stderr, /did you mean "kind"\?/);
  assert.deepEqual(Lab.known(), []);
});

test("when lab up is killed midway its nodes end by themselves, and down clears the rest", async () => {
  const child = startHanging("crash");
  const inits = await initsOf("crash");
  child.kill("SIGKILL");
  await until("all nodes have ended", () => !inits.some(isAlive));
  assert.deepEqual(Lab.known(), [{ name: "crash", running: false }]);
  assert.deepEqual(lab(["down", "crash"]), { status: 0, stdout: 'lab "crash" is down\n', stderr: "" });
  assert.deepEqual(Lab.known(), []);
  assert.equal(lab(["down", "crash"]).status, 0);
});

test("a lab of which only remains are left does not stand in the way of a new one", async () => {
  const child = startHanging("again");
  const inits = await initsOf("again");
  child.kill("SIGKILL");
  await until("all nodes have ended", () => !inits.some(isAlive));
  const next = await Lab.up(ROUTER, { name: "again", programs: false });
  assert.equal((await next.node("a").exec(["true"])).status, 0);
  await next.down();
  assert.deepEqual(Lab.known(), []);
});

test("an interrupted up removes what it had made", async () => {
  const child = startHanging("stop");
  const inits = await initsOf("stop");
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  assert.equal(await exited, 1);
  assert.deepEqual(inits.filter(isAlive), []);
  assert.deepEqual(Lab.known(), []);
});

test("a tied lab ends with the process that made it", async () => {
  const script = `import { Lab } from ${JSON.stringify(new URL("../../src/lab/lab.ts", import.meta.url).href)};
    const lab = await Lab.up(${JSON.stringify(ROUTER)}, { name: "tied", programs: false });
    process.stdout.write("up\\n");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const inits = await initsOf("tied");
  assert.equal(inits.every(isAlive), true);
  child.kill("SIGKILL");
  await until("all nodes have ended", () => !inits.some(isAlive));
  assert.equal(await Lab.remove("tied"), true);
});

test("an ordinary user has labs too", (t) => {
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const home = mkdtempSync(join(tmpdir(), "lab-home-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  chmodSync(home, 0o777);
  // Where there is no other user or the project is root's alone: root with none but the capability to map itself again.
  const powerless = ["setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all"];
  const canBecome = spawnSync(nobody[0] ?? "", [...nobody.slice(1), EVENKEEL, "--version"]).status === 0;
  const user = canBecome ? nobody : powerless;
  const env: NodeJS.ProcessEnv = { ...process.env, HOME: home, TMPDIR: home };
  delete env.XDG_RUNTIME_DIR;
  const came = lab(["up", ROUTER], user, env);
  if (/not let you make user namespaces/.test(came.stderr)) return t.skip("no user namespaces here");
  assert.equal(came.status, 0, came.stderr);
  const shown = JSON.parse(lab(["ps", "--json"], user, env).stdout) as {
    rootless: boolean;
    nodes: { processes: { hostPid: number }[] }[];
  };
  assert.equal(shown.rootless, true);
  const pids = shown.nodes.flatMap((node) => node.processes.map((one) => one.hostPid));
  assert.equal(pids.length, 3);
  const ping = [
    "exec",
    "a",
    "--",
    "sh",
    "-c",
    'node "$EVENKEEL_PROJECT/src/lab/probe-main.ts" --icmp 10.2.0.2 --count 1',
  ];
  const answered = lab(ping, user, env);
  assert.equal(answered.status, 0, answered.stderr);
  assert.equal((JSON.parse(answered.stdout) as { ttl: number }).ttl, 63);
  assert.equal(lab(["link", "a", "eth0", "down"], user, env).status, 0);
  assert.match(lab(["ps"], user, env).stdout, /^a +eth0 +left +no carrier/m);
  assert.equal(lab(["pause", "b", "tree"], user, env).stdout, "SIGSTOP to 3 processes of tree on b\n");
  assert.deepEqual(lab(["down"], user, env), { status: 0, stdout: 'lab "router" is down\n', stderr: "" });
  assert.deepEqual(
    pids.filter((pid) => readProcess(pid) !== undefined),
    [],
  );
  assert.equal(existsSync(join(home, ".cache/evenkeel")), false);
});
