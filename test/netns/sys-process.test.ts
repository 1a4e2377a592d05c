import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { promisify } from "node:util";
import { milliseconds, seconds } from "../../src/base/time.ts";
import { monotonicNow } from "../../src/sys/clock.ts";
import { lookupGroup, lookupUser } from "../../src/sys/privileges.ts";
import { runCommand } from "../../src/sys/run-command.ts";
import { until } from "../support/until.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-sys-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

const module = (name: string) => JSON.stringify(new URL(`../../src/sys/${name}.ts`, import.meta.url).href);

/** What a module's text prints, run in a process of its own. */
async function run(body: string): Promise<string> {
  const parameters = ["--input-type=module-typescript", "--eval", body];
  const { stdout } = await promisify(execFile)(process.execPath, parameters, { timeout: 60_000 });
  return stdout;
}

const statusLine = (status: string, name: string) => status.match(new RegExp(`^${name}:[ \\t]*(.*)$`, "m"))?.[1];

/** Inside a user namespace that maps root alone there is no other user to become. */
const mapsOtherUsers = !/^\s*0\s+\d+\s+1\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));

test("dropping to a user leaves no way back, in any thread", {
  skip: !mapsOtherUsers && "only root is mapped",
}, async () => {
  const status = await run(`
    import { dropTo } from ${module("privileges")};
    import { readFileSync, readdirSync } from "node:fs";
    dropTo({ uid: 65534, gid: 65533 });
    for (const back of [() => process.setuid(0), () => process.setgid(0), () => process.setgroups([0])]) {
      try { back(); console.log("Back: yes"); } catch (error) { console.log("Refused:", error.code); }
    }
    console.log(readFileSync("/proc/self/status", "utf8"));
    for (const thread of readdirSync("/proc/self/task")) {
      console.log(readFileSync("/proc/self/task/" + thread + "/status", "utf8").match(/^Uid:.*$/m)[0].replace("Uid", "ThreadUid"));
    }
  `);
  assert.equal(statusLine(status, "Uid"), "65534\t65534\t65534\t65534");
  assert.equal(statusLine(status, "Gid"), "65533\t65533\t65533\t65533");
  assert.equal(statusLine(status, "Groups"), "");
  assert.equal(statusLine(status, "CapEff"), "0000000000000000");
  assert.equal(statusLine(status, "CapPrm"), "0000000000000000");
  assert.equal(statusLine(status, "NoNewPrivs"), "1");
  assert.equal(status.match(/^Refused: EPERM$/gm)?.length, 3);
  const threads = status.match(/^ThreadUid:.*$/gm) ?? [];
  assert.ok(threads.length > 1);
  for (const thread of threads) assert.equal(thread, "ThreadUid:\t65534\t65534\t65534\t65534");
});

test("who may not become another user is told so", { skip: !mapsOtherUsers && "only root is mapped" }, async () => {
  const output = await run(`
    import { dropTo } from ${module("privileges")};
    dropTo({ uid: 65534, gid: 65534 });
    try { dropTo({ uid: 1, gid: 1 }); } catch (error) { console.log(error.name, error.code, error.message); }
  `);
  assert.equal(output, "SystemError EPERM cannot become user 1 and group 1: setgroups: EPERM\n");
});

test("a child that asked for it ends when its parent is killed", async () => {
  const folder = temporaryFolder();
  const child = `import { addon } from ${module("addon")};
    import { writeFileSync } from "node:fs";
    addon.setParentDeathSignal(9);
    setInterval(() => {}, 1000);
    writeFileSync(${JSON.stringify(join(folder, "pid"))}, String(process.pid));`;
  const parent = `import { spawn } from "node:child_process";
    import { existsSync } from "node:fs";
    spawn(process.execPath, ["--input-type=module-typescript", "--eval", ${JSON.stringify(child)}], { stdio: "ignore" });
    setInterval(() => existsSync(${JSON.stringify(join(folder, "pid"))}) && process.kill(process.pid, "SIGKILL"), 5);`;
  await assert.rejects(run(parent));
  const pid = readFileSync(join(folder, "pid"), "utf8");
  await until("its end", () => {
    try {
      return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return true;
    }
  });
});

test("users and groups are found by name, then by number, and a number nobody has stands for itself", () => {
  const folder = temporaryFolder();
  const passwd = join(folder, "passwd");
  const group = join(folder, "group");
  writeFileSync(
    passwd,
    "root:x:0:0:root:/root:/bin/sh\n# a comment\nbroken\n\nweb:x:33:34::/:/bin/sh\n1000:x:5:6::/:/\nminus:x:-1:1::/:/\n",
  );
  writeFileSync(group, "root:x:0:\nwww:x:34:a,b\n");
  assert.deepEqual(lookupUser("web", passwd), { name: "web", uid: 33, gid: 34 });
  assert.deepEqual(lookupUser("33", passwd), { name: "web", uid: 33, gid: 34 });
  assert.deepEqual(lookupUser("1000", passwd), { name: "1000", uid: 5, gid: 6 });
  assert.deepEqual(lookupUser("4000", passwd), { name: "4000", uid: 4000, gid: 4000 });
  for (const name of ["nobody-here", "", "minus", "-1", "4294967295", "99999999999", "1e3"]) {
    assert.equal(lookupUser(name, passwd), undefined, name);
  }
  assert.equal(lookupGroup("www", group), 34);
  assert.equal(lookupGroup("77", group), 77);
  assert.equal(lookupGroup("nobody-here", group), undefined);
  assert.equal(lookupGroup("www", join(folder, "missing")), undefined);
  assert.equal(lookupUser("root")?.uid, 0);
});

test("a command's exit status and output are told, without a shell in between", async () => {
  assert.deepEqual(await runCommand({ argv: ["sh", "-c", "echo out; echo err >&2; exit 3"] }), {
    type: "exited",
    status: 3,
    output: "out\nerr\n",
  });
  assert.deepEqual(await runCommand({ argv: ["echo", "$HOME; ls", "*"] }), {
    type: "exited",
    status: 0,
    output: "$HOME; ls *\n",
  });
  const environment = await runCommand({ argv: ["/usr/bin/env"], environment: { ONLY: "this" }, directory: "/" });
  assert.deepEqual(environment, { type: "exited", status: 0, output: "ONLY=this\n" });
});

test("a command that cannot be started says why", async () => {
  const folder = temporaryFolder();
  const plain = join(folder, "not-executable");
  writeFileSync(plain, "#!/bin/sh\n", { mode: 0o644 });
  for (const [argv, code] of [
    [["/nowhere/at/all"], "ENOENT"],
    [[plain], "EACCES"],
    [["sh\0"], "ERR_INVALID_ARG_VALUE"],
    [[], "ERR_INVALID_ARG_VALUE"],
  ] as const) {
    const outcome = await runCommand({ argv });
    assert.equal(outcome.type === "error" && outcome.code, code);
  }
});

test("a command runs as its user, without supplementary groups", {
  skip: !mapsOtherUsers && "only root is mapped",
}, async () => {
  const outcome = await runCommand({ argv: ["sh", "-c", "id -u; id -g; id -G"], uid: 65534, gid: 65533 });
  assert.deepEqual(outcome, { type: "exited", status: 0, output: "65534\n65533\n65533\n" });
});

test("a command ended by a signal tells the signal's number", async () => {
  const outcome = await runCommand({ argv: ["sh", "-c", "kill -USR1 $$"] });
  assert.deepEqual(outcome, { type: "signal", signal: 10, output: "" });
});

const isRunning = (pid: string) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

test("a command over its time limit is told at once and ends with everything that it started", async () => {
  const started = monotonicNow();
  const outcome = await runCommand({
    argv: ["sh", "-c", "sleep 1000 & echo $! $$; wait"],
    timeout: seconds(1),
  });
  assert.equal(outcome.type, "timeout");
  assert.ok(monotonicNow() - started >= seconds(1) - milliseconds(2));
  const pids = outcome.type === "timeout" ? outcome.output.trim().split(" ") : [];
  assert.equal(pids.length, 2, "it had the time to start");
  for (const pid of pids) await until(`the end of ${pid}`, () => !isRunning(pid));
});

test("a command that ignores SIGTERM is killed two seconds later", async () => {
  const outcome = await runCommand({
    argv: ["sh", "-c", 'trap "" TERM; echo $$; while :; do sleep 0.1; done'],
    timeout: seconds(1),
  });
  assert.equal(outcome.type, "timeout");
  const pid = outcome.type === "timeout" ? outcome.output.trim() : "";
  assert.ok(isRunning(pid), "SIGTERM alone does not end it");
  await until("its end", () => !isRunning(pid));
});

test("what a command started and what ignores SIGTERM does not outlive it", async () => {
  const outcome = await runCommand({
    argv: ["sh", "-c", '(trap "" TERM; while :; do sleep 0.1; done) & echo $!; wait'],
    timeout: seconds(1),
  });
  const pid = outcome.type === "timeout" ? outcome.output.trim() : assert.fail(outcome.type);
  assert.match(pid, /^[0-9]+$/);
  await until("its end", () => !isRunning(pid));
});

test("stopping a command gives the signal as its outcome", async () => {
  const stop = new AbortController();
  const running = runCommand({ argv: ["sleep", "1000"], stop: stop.signal, timeout: seconds(600) });
  stop.abort();
  assert.deepEqual(await running, { type: "signal", signal: 15, output: "" });
  assert.equal((await runCommand({ argv: ["sleep", "1000"], stop: stop.signal })).type, "signal");
});

test("a background process that keeps the output open does not delay the outcome", async () => {
  const outcome = await runCommand({ argv: ["sh", "-c", "sleep 1000 & echo $!"] });
  assert.equal(outcome.type, "exited");
  const pid = Number(outcome.type === "exited" && outcome.output);
  assert.ok(isRunning(String(pid)));
  process.kill(pid, "SIGKILL");
});

test("output beyond the limit is read and dropped", async () => {
  const endless = ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; exit 5"];
  const outcome = await runCommand({ argv: endless, maximumOutputBytes: 1000 });
  assert.deepEqual(outcome, { type: "exited", status: 5, output: "x".repeat(1000) });
});

test("the clock only goes forward, in microseconds", async () => {
  const first = monotonicNow();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const second = monotonicNow();
  assert.ok(Number.isInteger(first));
  assert.ok(second - first >= 19_000, `${second - first}`);
});
