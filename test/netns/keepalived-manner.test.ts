/** What keepalived's options, signals to its children and global_defs about its processes do, in a namespace. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { addon, constants } from "../../src/sys/addon.ts";
import { WatchedSocket } from "../../src/sys/receive.ts";
import { unixSockaddr } from "../../src/sys/sockaddr.ts";
import { CONFIGURATION, Host, KEEPALIVED, signal } from "../support/keepalived-host.ts";
import { peerPath } from "../support/peers.ts";
import { until } from "../support/until.ts";

const globally = (lines: string): string => CONFIGURATION.replace("router_id R", `router_id R\n${lines}`);

test("the vrrp child answers to signals of its own, as keepalived's does", async () => {
  for (const program of [KEEPALIVED, peerPath("keepalived")]) {
    await using host = await Host.start();
    const daemon = host.run(program, ["-n", "-l", "-P"]);
    await daemon.sees(/Entering MASTER STATE/);
    signal(host, "SIGUSR1", host.vrrpPid);
    assert.match(await host.dumped("keepalived.data"), / VRRP Instance = VI_1\n/);
    signal(host, "SIGUSR2", host.vrrpPid);
    assert.match(await host.dumped("keepalived.stats"), /Became master: 1\n/);
    signal(host, 36, host.vrrpPid);
    assert.match(await host.dumped("keepalived.json"), /"iname":"VI_1"/);
  }
});

test("process_names and umask from the file are the processes' and the files'", async () => {
  for (const program of [KEEPALIVED, peerPath("keepalived")]) {
    await using host = await Host.start(globally("process_names\nprocess_name kp\numask 022"));
    const daemon = host.run(program, ["-n", "-l", "-P"]);
    await daemon.sees(/Entering MASTER STATE/);
    const nameOf = (pid: number) => readFileSync(`/proc/${pid}/comm`, "utf8");
    assert.deepEqual([nameOf(host.pid), nameOf(host.vrrpPid)], ["kp\n", "keepalived_vrrp\n"]);
    assert.match(readFileSync(`/proc/${host.vrrpPid}/status`, "utf8"), /^Umask:\t0022$/m);
    signal(host, "SIGUSR1");
    const data = host.path("keepalived.data");
    await until("the dump", () => existsSync(data) && /weight 0\n$/.test(readFileSync(data, "utf8")));
    assert.equal(statSync(data).mode & 0o777, 0o644);
    assert.match(readFileSync(data, "utf8"), /^ Parent process name = kp\n VRRP process name = keepalived_vrrp\n/m);
    assert.match(readFileSync(data, "utf8"), /^ umask = 022$/m);
  }
});

test("the dump files lie where the file says, with the instance's name when it says so", async () => {
  await using host = await Host.start();
  const places = ["state", "stats", "json"].map((kind) => `${kind}_dump_file ${host.path(`own.${kind}`)}`);
  writeFileSync(host.file, `instance one\n${globally(`data_use_instance\n${places.join("\n")}`)}`);
  const daemon = host.run(KEEPALIVED, ["-n", "-l", "-P"]);
  await daemon.sees(/Entering MASTER STATE/);
  for (const [number, name] of [
    ["SIGUSR1", "own.one.state"],
    ["SIGUSR2", "own.stats"],
    [36, "own.json"],
  ] as const) {
    signal(host, number);
    await host.dumped(name);
  }
});

test("-R: a child that dies ends the daemon", async () => {
  await using host = await Host.start();
  const daemon = host.run(KEEPALIVED, ["-n", "-l", "-P", "-R"]);
  await daemon.sees(/Entering MASTER STATE/);
  signal(host, "SIGKILL", host.vrrpPid);
  assert.deepEqual(await daemon.exited, { status: 1, signal: null });
  assert.equal(existsSync(host.path("p.pid")), false);
});

test("-s runs in the network namespace of that name", async () => {
  await using host = await Host.start();
  const daemon = host.runFar(KEEPALIVED, ["-n", "-l", "-s", host.node.name]);
  await daemon.sees(/Entering MASTER STATE/);
  assert.match(await host.node.run("ip", "-br", "addr", "show", "eth0"), /10\.9\.0\.100\/24/);
  signal(host, "SIGUSR1");
  assert.match(await host.dumped("keepalived.data"), new RegExp(`^ Network namespace = ${host.node.name}$`, "m"));
  signal(host, "SIGTERM");
  assert.deepEqual(await daemon.exited, { status: 0, signal: null });
});

test("an abstract NOTIFY_SOCKET hears READY and STOPPING", async () => {
  await using host = await Host.start();
  const heard: string[] = [];
  const name = `@evenkeel-test-${process.pid}`;
  // An abstract name belongs to a network namespace.
  const fd = host.node.within(() => {
    const opened = addon.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0);
    addon.bind(opened, unixSockaddr(name));
    return opened;
  });
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
    const daemon = host.run(KEEPALIVED, ["-n", "-l"], { NOTIFY_SOCKET: name });
    await until("READY", () => heard.length === 1);
    const { pid } = host;
    signal(host, "SIGTERM");
    await daemon.exited;
    assert.deepEqual(heard, [`READY=1\nMAINPID=${pid}`, "STOPPING=1"]);
  } finally {
    socket.close();
  }
});

test("-P runs VRRP alone, and a log file a process gets the lines of each", async () => {
  await using host = await Host.start();
  const haproxy = `${CONFIGURATION}\nvirtual_server 10.9.0.100 80 {\nlb_algo rr\nlb_kind DR\nprotocol TCP\nreal_server 10.9.0.9 80 {\n}\n}\n`;
  writeFileSync(host.file, haproxy);
  const daemon = host.run(KEEPALIVED, ["-n", "-l", "-P", `-g${join(host.folder, "k.log")}`]);
  await daemon.sees(/Entering MASTER STATE/);
  assert.equal(existsSync(host.path("c.pid")), false);
  assert.equal(existsSync(host.path("k_healthcheckers.log")), false);
  assert.match(readFileSync(host.path("k_vrrp.log"), "utf8"), /Entering MASTER STATE/);
});
