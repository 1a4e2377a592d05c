/** bin/keepalived in a namespace, beside Debian's keepalived 2.2.7 with the same file. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { addon, constants } from "../../src/sys/addon.ts";
import { WatchedSocket } from "../../src/sys/receive.ts";
import { unixSockaddr } from "../../src/sys/sockaddr.ts";
import { CONFIGURATION, Host, KEEPALIVED, signal } from "../support/keepalived-host.ts";
import { peerPath } from "../support/peers.ts";
import { until } from "../support/until.ts";

const execute = promisify(execFile);

const WITHOUT_SCRIPTS = CONFIGURATION.replace(/ +notify_master.*\n/, "");

async function dumpsOf(program: string) {
  await using host = await Host.start();
  const daemon = host.run(program, ["-n", "-l", "-D", "-P"]);
  await daemon.sees(/Entering MASTER STATE/);
  signal(host, "SIGUSR1");
  const data = await host.dumped("keepalived.data");
  const parent = await host.dumped("keepalived_parent.data");
  signal(host, "SIGUSR2");
  const stats = await host.dumped("keepalived.stats");
  signal(host, 36);
  const json = await host.dumped("keepalived.json");
  signal(host, "SIGTERM");
  const { status } = await daemon.exited;
  return { data, parent, stats, json, status, log: daemon.output };
}

const NOT_OURS =
  /^ (VRRP|LVS|BFD) process name|libnftnl version|fd_in|^ {3}(Seen up|Delayed state|Reset |Original |rp_filter|Not IPv6)/;

/** Without what time, chance and the machine decide. */
const lasting = (text: string) =>
  text
    .split("\n")
    .filter((line) => !NOT_OURS.test(line))
    .map((line) =>
      line
        .replace(/(Last transition|Read timeout|Master down timer|Sent) ?[=:].*/, "$1 …")
        .replace(/(MAC|IPv6 address|index) = .*/, "$1 …"),
    );

interface Instance {
  readonly data: Record<string, unknown>;
  readonly stats: Record<string, unknown>;
}
const lastingJson = (text: string): unknown =>
  (JSON.parse(text) as Instance[]).map(({ data, stats }) => ({
    data: Object.entries({ ...data, last_transition: 0, auth_data: "********" }),
    stats: Object.entries({ ...stats, advert_sent: 0 }),
  }));

test("signals write the files that keepalived writes, line by line, and both stop with 0", async () => {
  const [ours, theirs] = [await dumpsOf(KEEPALIVED), await dumpsOf(peerPath("keepalived"))];
  assert.deepEqual(lasting(ours.data), lasting(theirs.data));
  assert.deepEqual(
    lasting(ours.parent),
    lasting(theirs.parent).map((line) => line.replace("4294967295", "5")),
  );
  assert.deepEqual(lasting(ours.stats), lasting(theirs.stats));
  assert.deepEqual(lastingJson(ours.json), lastingJson(theirs.json));
  assert.deepEqual([ours.status, theirs.status], [0, 0]);
  for (const line of [
    "Starting Keepalived v2.2.7 (",
    "Configuration file ",
    "Stopping",
    "Stopped Keepalived v2.2.7 (",
  ]) {
    assert.ok(ours.log.includes(line), line);
    assert.ok(theirs.log.includes(line), line);
  }
  assert.match(ours.log, /Starting VRRP child process, pid=\d+\n/);
  assert.match(ours.log, /Startup complete\n/);
});

test("SIGRTMAX-1 writes the statistics, and then they count from nothing", async () => {
  await using host = await Host.start();
  const daemon = host.run(KEEPALIVED, ["-n", "-l"]);
  await daemon.sees(/Entering MASTER STATE/);
  signal(host, 63);
  assert.match(await host.dumped("keepalived.stats"), /Became master: 1\n/);
  const path = host.path("keepalived.stats");
  const before = statSync(path).mtimeMs;
  signal(host, "SIGUSR2");
  assert.match(await host.dumped("keepalived.stats", before), /Became master: 0\n/);
});

test("a link that lies where a dump goes is replaced, and what it points at stays", async () => {
  await using host = await Host.start();
  const daemon = host.run(KEEPALIVED, ["-n", "-l"]);
  await daemon.sees(/Startup complete/);
  const victim = host.path("victim");
  writeFileSync(victim, "precious");
  symlinkSync(victim, host.path("keepalived.stats"));
  signal(host, "SIGUSR2");
  const path = host.path("keepalived.stats");
  await until("written", () => readFileSync(path, "utf8").startsWith("VRRP Instance"));
  assert.equal(readFileSync(victim, "utf8"), "precious");
});

test("pid files hold the processes' numbers, readable for all, and are gone after a stop", async () => {
  await using host = await Host.start();
  const daemon = host.run(KEEPALIVED, ["-n", "-l"]);
  await daemon.sees(/Startup complete/);
  const content = readFileSync(host.path("v.pid"), "utf8");
  assert.match(content, /^\d+\n$/);
  assert.equal(statSync(host.path("v.pid")).mode & 0o777, 0o644);
  assert.equal(Number(content), Number((await daemon.sees(/VRRP child process, pid=(\d+)/))[1]));
  assert.equal(readFileSync(`/proc/${host.pid}/comm`, "utf8"), "keepalived\n");
  signal(host, "SIGTERM");
  assert.deepEqual(await daemon.exited, { status: 0, signal: null });
  assert.deepEqual([existsSync(host.path("p.pid")), existsSync(host.path("v.pid"))], [false, false]);
});

test("a second daemon, ours or keepalived, says that one is running and ends with 0", async () => {
  await using host = await Host.start();
  const daemon = host.run(KEEPALIVED, ["-n", "-l"]);
  await daemon.sees(/Startup complete/);
  for (const program of [KEEPALIVED, peerPath("keepalived")]) {
    const second = host.run(program, ["-n", "-l"]);
    assert.deepEqual(await second.exited, { status: 0, signal: null });
    assert.match(second.output, /daemon is already running\n/);
  }
  assert.match(readFileSync(host.path("p.pid"), "utf8"), /^\d+\n$/);
});

test("beside a running keepalived, which locks no pid file, ours says that one is running and leaves its pid file alone", async () => {
  await using host = await Host.start();
  const theirs = host.run(peerPath("keepalived"), ["-n", "-l"]);
  await theirs.sees(/Entering BACKUP STATE/);
  const before = readFileSync(host.path("p.pid"), "utf8");
  const ours = host.run(KEEPALIVED, ["-n", "-l"]);
  assert.deepEqual(await ours.exited, { status: 0, signal: null });
  assert.match(ours.output, /daemon is already running\n/);
  assert.equal(readFileSync(host.path("p.pid"), "utf8"), before);
});

test("without -n it returns when the daemon runs, in a session of its own, with a log file a process", async () => {
  await using host = await Host.start();
  const start = host.run(KEEPALIVED, ["-D", "-G", `-g${host.path("k.log")}`]);
  assert.deepEqual(await start.exited, { status: 0, signal: null });
  assert.match(readFileSync(host.path("k.log"), "utf8"), /Startup complete\n$/);
  assert.match(readFileSync(host.path("k_vrrp.log"), "utf8"), /Entering BACKUP STATE \(init\)\n/);
  const { pid } = host;
  const session = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[3];
  assert.equal(Number(session), pid);
  signal(host, "SIGTERM");
  await until("it is gone", () => !existsSync(`/proc/${pid}`));
});

test("without -n the status of a start that failed is the first process's", async () => {
  await using host = await Host.start("vrrp_instance A {\n  interface eth0\n  virtual_router_id 300\n}\n");
  const start = host.run(KEEPALIVED, ["-l", "-G"]);
  assert.deepEqual(await start.exited, { status: 2, signal: null });
  assert.equal(existsSync(host.path("p.pid")), false);
});

test("-V leaves the addresses where they are and sends no priority 0", async () => {
  await using host = await Host.start();
  const daemon = host.run(KEEPALIVED, ["-n", "-l", "-D", "-V"]);
  await daemon.sees(/setting VIPs/);
  signal(host, "SIGTERM");
  assert.deepEqual(await daemon.exited, { status: 0, signal: null });
  assert.doesNotMatch(daemon.output, /sent 0 priority/);
  assert.match(await host.node.run("ip", "-br", "addr", "show", "eth0"), /10\.9\.0\.100\/24/);
});

test("a configuration file that is not there is status 6 for the daemon and 0 for -t, as with keepalived", async () => {
  await using host = await Host.start();
  rmSync(host.file);
  for (const program of [KEEPALIVED, peerPath("keepalived")]) {
    const daemon = host.run(program, ["-n", "-l"]);
    assert.deepEqual(await daemon.exited, { status: 6, signal: null });
    assert.match(daemon.output, /Config files missing '.*keepalived\.conf'\.\n/);
    const tested = host.run(program, ["-t"]);
    assert.deepEqual(await tested.exited, { status: 0, signal: null });
  }
});

const MISTAKES: Readonly<Record<string, string>> = {
  clean: CONFIGURATION,
  "unknown keyword": CONFIGURATION.replace("preempt_delay 7", "bogus 7"),
  "missing interface": CONFIGURATION.replace("eth0", "eth9"),
  "auth_pass too long": CONFIGURATION.replace("12345678", "1234567890"),
  "MASTER with preempt_delay": CONFIGURATION.replace("state BACKUP", "state MASTER"),
  "no scripts": WITHOUT_SCRIPTS,
  "no scripts, unknown keyword": CONFIGURATION.replace(/ +notify_master.*\n/, " bogus\n"),
  "empty file": "",
};

test("-t ends with keepalived's status for what people get wrong", async () => {
  await using host = await Host.start();
  const statuses: Record<string, (number | null)[]> = {};
  for (const [name, text] of Object.entries(MISTAKES)) {
    writeFileSync(host.file, text);
    const pair = [];
    for (const program of [KEEPALIVED, peerPath("keepalived")]) {
      const tested = host.run(program, ["-t"]);
      pair.push((await tested.exited).status);
    }
    statuses[name] = pair;
  }
  const [ours, theirs] = [0, 1].map((at) => Object.entries(statuses).map(([name, pair]) => [name, pair[at]]));
  assert.deepEqual(ours, theirs);
});

test("the service manager hears READY with the pid, RELOADING, READY again and STOPPING", async () => {
  await using host = await Host.start();
  const heard: string[] = [];
  const path = host.path("notify");
  const fd = addon.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0);
  addon.bind(fd, unixSockaddr(path));
  const socket = new WatchedSocket(
    fd,
    "notify",
    { slotBytes: 512, slots: 8 },
    {
      onReceived: (received) => heard.push(...received.map(({ bytes }) => new TextDecoder().decode(bytes))),
      onError: assert.ifError,
    },
  );
  try {
    const daemon = host.run(KEEPALIVED, ["-n", "-l"], { NOTIFY_SOCKET: path });
    await until("READY", () => heard.length === 1);
    const { pid } = host;
    signal(host, "SIGHUP");
    await until("the reload", () => heard.length === 3);
    signal(host, "SIGTERM");
    await daemon.exited;
    const first = heard.map((text) => text.replace(/(MONOTONIC_USEC=)\d+/, "$1…").split("\n"));
    assert.deepEqual(first, [
      ["READY=1", `MAINPID=${pid}`],
      ["RELOADING=1", "MONOTONIC_USEC=…"],
      ["READY=1"],
      ["STOPPING=1"],
    ]);
  } finally {
    socket.close();
  }
});

test("evenkeel keepalived and a folder of files do the same", async () => {
  await using host = await Host.start();
  const folder = host.path("conf.d");
  mkdirSync(folder);
  const [head = "", tail = ""] = WITHOUT_SCRIPTS.split("vrrp_instance");
  writeFileSync(join(folder, "1.conf"), head);
  writeFileSync(join(folder, "2.conf"), `vrrp_instance${tail}`);
  const evenkeel = fileURLToPath(new URL("../../bin/evenkeel", import.meta.url));
  const run = (...words: string[]) =>
    execute("ip", ["netns", "exec", host.node.name, evenkeel, "keepalived", ...words]);
  assert.deepEqual(await run("-t", "-f", folder), { stdout: "", stderr: "" });
  assert.equal((await run("--signum=DATA")).stdout, "10\n");
});
