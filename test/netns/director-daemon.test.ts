/** `evenkeel run` with virtual_server blocks over the real data plane, with real servers, clients and connections. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { IpAddress } from "../../src/base/ip.ts";
import { connectStream } from "../../src/sys/outgoing.ts";
import { test } from "../support/bpf-tests.ts";
import { DirectorDaemon, VIP } from "../support/director-daemon.ts";
import { peerPath } from "../support/peers.ts";
import { gone } from "../support/proxy-daemon.ts";
import { until } from "../support/until.ts";
import { EVENKEEL, signalTree, tree } from "../support/vrrp-pair.ts";

const WEB = `[${VIP}]:tcp:80`;
const ECHO = `[${VIP}]:tcp:7`;
const CHECK = `TCP_CHECK {
    connect_timeout 1
    retry 1
    delay_before_retry 0.1
  }`;
const real = (ip: string, port: number, lines = "") => `real_server ${ip} ${port} {
  ${lines}
  ${CHECK}
 }`;
const virtual = (port: number, servers: readonly string[], lines = "") => `virtual_server ${VIP} ${port} {
 lb_algo rr
 lb_kind NAT
 protocol TCP
 delay_loop 0.3
 warmup 0.1
 ${lines}
 ${servers.map((one) => real(one, port)).join("\n ")}
}
`;
const BOTH = ["10.1.1.2", "10.1.2.2"];

/** A connection from the client's network that echoes. */
async function conversation(daemon: DirectorDaemon): Promise<{ socket: Socket; say(text: string): Promise<string> }> {
  // A socket with an option is made at once, and so in the client's network.
  const to = { address: VIP as IpAddress, port: 7, interface: "eth0" };
  const socket = daemon.client.within(() => connectStream(to));
  daemon.sockets.push(socket);
  await once(socket, "connect");
  socket.on("error", () => undefined);
  return {
    socket,
    async say(text) {
      const heard = once(socket, "data");
      socket.write(text);
      return String((await heard)[0]);
    },
  };
}

test("a server that dies leaves after its retries, requests go on, and it comes back", async () => {
  await using daemon = await DirectorDaemon.start(virtual(80, BOTH));
  await daemon.program.sees(/TCP connection to \[10\.1\.1\.2\]:tcp:80 success/);
  assert.deepEqual(await daemon.pages(4), { rs1: 2, rs2: 2 });
  await daemon.kill("rs1");
  await daemon.program.sees(/TCP_CHECK on service \[10\.1\.1\.2\]:tcp:80 failed after 1 retries\./);
  await daemon.program.sees(/Removing service \[10\.1\.1\.2\]:tcp:80 from VS \[10\.0\.0\.10\]:tcp:80/);
  assert.deepEqual(await daemon.pages(4), { rs2: 4 });
  await daemon.serve("rs1");
  await daemon.program.sees(/Adding service \[10\.1\.1\.2\]:tcp:80 to VS/);
  assert.deepEqual(await daemon.pages(4), { rs1: 2, rs2: 2 });
  const changes = (await daemon.events()).filter((one) => one.kind === "real-server-state");
  assert.deepEqual(
    changes.map((one) => [one.from, one.to, one.cause]),
    [
      ["UP", "DOWN", "TCP_CHECK 10.1.1.2:80: connection refused"],
      ["DOWN", "UP", "TCP_CHECK 10.1.1.2:80: connected"],
    ],
  );
});

test("the sorry server serves below the quorum, and leaves when it is reached again", async () => {
  const configuration = virtual(80, BOTH, "quorum 2\n sorry_server 10.1.3.2 80");
  await using daemon = await DirectorDaemon.start(configuration, ["rs1", "rs2", "sorry"]);
  await daemon.program.sees(/TCP connection to \[10\.1\.1\.2\]:tcp:80 success/);
  await daemon.kill("rs1");
  await daemon.program.sees(/Adding sorry server \[10\.1\.3\.2\]:tcp:80 to VS/);
  assert.deepEqual(await daemon.pages(3), { sorry: 3 });
  assert.equal((await daemon.virtualServer(WEB)).sorryServer?.serving, true);
  await daemon.serve("rs1");
  await daemon.program.sees(/Removing sorry server/);
  assert.deepEqual(await daemon.pages(4), { rs1: 2, rs2: 2 });
});

test("a daemon that comes back below the quorum goes on apologising, until the quorum is reached", async () => {
  const configuration = virtual(80, BOTH, "quorum 2\n sorry_server 10.1.3.2 80");
  await using daemon = await DirectorDaemon.start(configuration, ["rs1", "rs2", "sorry"]);
  await daemon.program.sees(/TCP connection to \[10\.1\.1\.2\]:tcp:80 success/);
  await daemon.kill("rs1");
  await daemon.program.sees(/Adding sorry server \[10\.1\.3\.2\]:tcp:80 to VS/);
  const family = tree(daemon.program.pid);
  signalTree(daemon.program.pid, "SIGKILL");
  await gone(family);
  assert.deepEqual(await daemon.pages(2), { sorry: 2 });
  await daemon.run();
  await daemon.program.sees(/TCP connection to \[10\.1\.2\.2\]:tcp:80 success/);
  assert.deepEqual(await daemon.pages(2), { sorry: 2 });
  assert.doesNotMatch(daemon.program.output, /quorum|sorry/);
  await daemon.serve("rs1");
  await daemon.program.sees(/Removing sorry server/);
  assert.deepEqual(await daemon.pages(4), { rs1: 2, rs2: 2 });
});

test("servers of a service of all ports get clients on the port that they asked for", async () => {
  const check = (ip: string) => `real_server ${ip} 0 {
  TCP_CHECK {
   connect_port 80
  }
 }`;
  const configuration = `virtual_server ${VIP} 0 {
 lb_algo rr
 lb_kind NAT
 protocol TCP
 persistence_timeout 50
 warmup 0.1
 ${BOTH.map(check).join("\n ")}
}
`;
  await using daemon = await DirectorDaemon.start(configuration);
  await daemon.program.sees(/TCP connection to \[10\.1\.1\.2\]:tcp:0 success/);
  const page = await daemon.page();
  assert.match(page, /^rs[12]$/);
  const talk = await conversation(daemon);
  assert.equal(await talk.say("by another port"), "by another port");
  const { active } = await daemon.realServer(`[${VIP}]:tcp:0`, page === "rs1" ? "10.1.1.2" : "10.1.2.2");
  assert.equal(active, 1);
});

test("servers of a service by firewall mark get clients on the port that they asked for", async () => {
  const configuration = `virtual_server fwmark 7 {
 lb_algo rr
 lb_kind NAT
 warmup 0.1
 ${BOTH.map((ip) => `real_server ${ip} {\n  TCP_CHECK {\n   connect_port 80\n  }\n }`).join("\n ")}
}
`;
  await using daemon = await DirectorDaemon.start(configuration);
  const marks = `table ip marks { chain in { type filter hook prerouting priority mangle; ip daddr ${VIP} meta mark set 7; }; }`;
  await daemon.balancer.run(peerPath("nft"), marks);
  await daemon.program.sees(/TCP connection to \[10\.1\.1\.2\]:none:0 success/);
  assert.deepEqual(await daemon.pages(4), { rs1: 2, rs2: 2 });
  const talk = await conversation(daemon);
  assert.equal(await talk.say("by another port"), "by another port");
});

test("a reload keeps connections, health and counters of what did not change", async () => {
  await using daemon = await DirectorDaemon.start(virtual(80, BOTH) + virtual(7, BOTH));
  await daemon.program.sees(/TCP connection to \[10\.1\.1\.2\]:tcp:80 success/);
  await daemon.kill("rs1");
  await until("rs1 is down", async () => (await daemon.realServer(WEB, "10.1.1.2")).state === "DOWN");
  await until("rs1 echoes no more", async () => (await daemon.realServer(ECHO, "10.1.1.2")).state === "DOWN");
  const talk = await conversation(daemon);
  assert.equal(await talk.say("one"), "one");
  daemon.write(virtual(80, BOTH, "quorum 1") + virtual(7, BOTH).replace("lb_algo rr", "lb_algo wlc"));
  assert.match((await daemon.command("reload")).stdout, /applied/);
  await until("wlc", async () => (await daemon.virtualServer(ECHO)).scheduler === "wlc");
  assert.equal(await talk.say("two"), "two");
  const [down, up] = [await daemon.realServer(ECHO, "10.1.1.2"), await daemon.realServer(ECHO, "10.1.2.2")];
  assert.deepEqual([down.state, down.weight, up.state, up.active], ["DOWN", undefined, "UP", 1]);
});

test("a daemon killed with -9 loses no connection, and the next one takes over what it left", async () => {
  await using daemon = await DirectorDaemon.start(virtual(7, BOTH));
  await daemon.program.sees(/TCP connection to \[10\.1\.1\.2\]:tcp:7 success/);
  await daemon.kill("rs1");
  await until("rs1 is down", async () => (await daemon.realServer(ECHO, "10.1.1.2")).state === "DOWN");
  const talk = await conversation(daemon);
  assert.equal(await talk.say("before"), "before");
  const family = tree(daemon.program.pid);
  signalTree(daemon.program.pid, "SIGKILL");
  await gone(family);
  assert.equal(await talk.say("without a daemon"), "without a daemon");
  await daemon.run();
  assert.equal(await talk.say("after"), "after");
  const [down, up] = [await daemon.realServer(ECHO, "10.1.1.2"), await daemon.realServer(ECHO, "10.1.2.2")];
  assert.deepEqual([down.state, down.weight, up.state, up.active], ["DOWN", undefined, "UP", 1]);
  assert.ok(up.connections >= 1);
  assert.doesNotMatch(daemon.program.output, /quorum|Adding|Removing/);
});

test("a supervisor killed with -9 leaves the virtual servers to the next one too", async () => {
  await using daemon = await DirectorDaemon.start(virtual(7, BOTH));
  const talk = await conversation(daemon);
  assert.equal(await talk.say("before"), "before");
  const family = tree(daemon.program.pid);
  daemon.program.kill("SIGKILL");
  await daemon.run();
  await gone(family);
  assert.equal(await talk.say("after"), "after");
});

test("a director that dies is started again and goes on where it was", async () => {
  await using daemon = await DirectorDaemon.start(virtual(7, BOTH));
  const talk = await conversation(daemon);
  const pid = async () => (await daemon.status()).processes.find(({ name }) => name === "director")?.pid;
  const before = await pid();
  assert.ok(before !== undefined);
  process.kill(before, "SIGKILL");
  await until("another director", async () => ![undefined, before].includes(await pid()));
  await until("it knows its servers", async () => (await daemon.status()).director !== undefined);
  assert.equal(await talk.say("after"), "after");
});

/** Takes mail on port 25 and prints it. */
const RELAY = `require("net").createServer((socket) => {
  let data = false;
  socket.on("error", () => {}).write("220 relay\\r\\n");
  require("readline").createInterface(socket).on("line", (line) => {
    console.log(line);
    if (data && line !== ".") return;
    data = line === "DATA";
    socket.write(data ? "354 go on\\r\\n" : line === "QUIT" ? "221 bye\\r\\n" : "250 ok\\r\\n");
  });
}).listen(25, "127.0.0.1", () => console.log("listening"))`;

test("tells by mail of the quorum and of servers that come and go, after a reload by the new settings", async () => {
  const mail = (routerId: string) => `global_defs {
 router_id ${routerId}
 notification_email {
  ops@example.net
 }
 notification_email_from lb@example.net
 smtp_server 127.0.0.1
}
`;
  await using daemon = await DirectorDaemon.start("global_defs {\n}\n");
  const relay = daemon.balancer.start([process.execPath, "-e", RELAY]);
  await relay.sees(/listening/);
  daemon.write(mail("lb1") + virtual(80, BOTH, "quorum 2\n smtp_alert"));
  assert.match((await daemon.command("reload")).stdout, /applied/);
  await relay.sees(/Subject: \[lb1\] Virtualserver \[10\.0\.0\.10\]:tcp:80 - UP\n/);
  await daemon.program.sees(/TCP connection to \[10\.1\.1\.2\]:tcp:80 success/);
  await daemon.kill("rs1");
  await relay.sees(/\[lb1\] Virtualserver \[10\.0\.0\.10\]:tcp:80 - DOWN\n[\s\S]*=> Lost quorum 2\+0=2 <= 1 <=/);
  await relay.sees(
    /\[lb1\] Realserver \[10\.1\.1\.2\]:tcp:80 of virtual server[\s\S]*=> TCP CHECK failed on service <=/,
  );
  daemon.write(mail("lb2") + virtual(80, BOTH, "quorum 2"));
  assert.match((await daemon.command("reload")).stdout, /applied/);
  await daemon.serve("rs1");
  await relay.sees(
    /\[lb2\] Realserver \[10\.1\.1\.2\]:tcp:80 of virtual server[\s\S]*=> TCP CHECK succeed on service <=/,
  );
  assert.doesNotMatch(relay.output, /\[lb2\] Virtualserver/);
});

test("a drained server keeps its connections, gets no new ones, and `--wait` ends with the last", async () => {
  await using daemon = await DirectorDaemon.start(virtual(7, BOTH));
  const talks = [await conversation(daemon), await conversation(daemon)];
  assert.deepEqual(await daemon.command("drain", `${VIP}:7`, "10.1.1.2:7"), {
    status: 0,
    stdout: `draining [10.1.1.2]:tcp:7 of ${ECHO}\n`,
    stderr: "",
  });
  for (const talk of talks) assert.equal(await talk.say("still here"), "still here");
  const more = [await conversation(daemon), await conversation(daemon)];
  const server = await daemon.realServer(ECHO, "10.1.1.2");
  assert.deepEqual([server.state, server.weight, server.active], ["DRAIN", 0, 1]);
  const waiting = daemon.command("drain", `${VIP}:7`, "10.1.1.2:7", "--deadline", "1", "--wait");
  await Promise.race(talks.map(({ socket }) => new Promise((resolve) => socket.once("close", resolve))));
  const { stdout } = await waiting;
  assert.match(stdout, /^\[10\.1\.1\.2\]:tcp:7: 1 active, 0 inactive connections\n/);
  const phases = (await daemon.events()).flatMap((one) => (one.kind === "drain" ? [one.phase] : []));
  assert.ok(phases.includes("cut"), `${phases}`);
  for (const talk of more) assert.equal(await talk.say("others live"), "others live");
  assert.equal((await daemon.command("undrain", ECHO, "10.1.1.2")).status, 0);
  assert.equal((await daemon.realServer(ECHO, "10.1.1.2")).weight, 1);
});

test("without a daemon it is told how a service made by hand is drained", async () => {
  await using daemon = await DirectorDaemon.start(virtual(80, BOTH));
  await daemon.program.stop();
  const { status, stderr } = await daemon.command("drain", "10.0.0.10:80", "10.1.1.2:80");
  assert.equal(status, 1);
  assert.match(stderr, /evenkeel is not running .*ipvsadm -e -t ADDRESS:PORT -r SERVER:PORT METHOD -w 0 --drain\n$/);
});

test("who is drained that is not there is told apart", async () => {
  await using daemon = await DirectorDaemon.start(virtual(80, BOTH));
  const { status, stderr } = await daemon.command("drain", "10.0.0.10:81", "10.1.1.2:80");
  assert.equal(status, 1);
  assert.match(stderr, /no virtual server is called 10\.0\.0\.10:81; there is \[10\.0\.0\.10\]:tcp:80/);
});

test("a stop removes the virtual servers; a killed daemon's are cleared by --flush", async () => {
  await using daemon = await DirectorDaemon.start(virtual(80, BOTH));
  const list = () => daemon.balancer.run(EVENKEEL, "ipvsadm", "-Sn");
  assert.match(await list(), /-A -t 10\.0\.0\.10:80 -s rr/);
  await daemon.program.stop();
  assert.match(daemon.program.output, /Shutting down service \[10\.1\.1\.2\]:tcp:80 from VS/);
  assert.equal(await list(), "");
  await daemon.run();
  const family = tree(daemon.program.pid);
  signalTree(daemon.program.pid, "SIGKILL");
  await gone(family);
  assert.match(await list(), /10\.0\.0\.10:80/);
  await daemon.run(virtual(7, BOTH), "--flush");
  assert.doesNotMatch(await list(), /10\.0\.0\.10:80/);
});

test("after --flush connections from before count nowhere, and are reset", async () => {
  await using daemon = await DirectorDaemon.start(virtual(7, BOTH));
  const talk = await conversation(daemon);
  assert.equal(await talk.say("before"), "before");
  const family = tree(daemon.program.pid);
  signalTree(daemon.program.pid, "SIGKILL");
  await gone(family);
  const closed = new Promise((resolve) => talk.socket.once("close", resolve));
  await daemon.run(virtual(7, BOTH), "--flush");
  await closed;
  const { servers } = await daemon.virtualServer(ECHO);
  assert.deepEqual(
    servers.map(({ active, inactive, connections }) => [active, inactive, connections]),
    [
      [0, 0, 0],
      [0, 0, 0],
    ],
  );
  assert.equal((await daemon.director()).table.connections, 0);
});

test("a table size that comes too late is said", async () => {
  const sized = (size: number) => `global_defs {\n connection_table_size ${size}\n}\n${virtual(80, BOTH)}`;
  await using daemon = await DirectorDaemon.start(sized(2048));
  assert.equal((await daemon.director()).table.capacity, 2048);
  assert.doesNotMatch(daemon.program.output, /connection tables hold/);
  daemon.write(sized(4096));
  assert.match((await daemon.command("reload")).stdout, /applied/);
  await daemon.program.sees(/The connection tables hold 2048 connections each; connection_table_size 4096/);
});

test("a second daemon in the same network is refused and says who is there", async () => {
  await using daemon = await DirectorDaemon.start(virtual(80, BOTH));
  const second = daemon.balancer.start([EVENKEEL, "run", "-f", daemon.file, "--socket", `${daemon.socket}.2`]);
  assert.equal((await second.exited).status, 1);
  assert.match(second.output, /runs as the director of this network namespace already/);
  assert.deepEqual(await daemon.pages(2), { rs1: 1, rs2: 1 });
});

test("VIPs wait for the virtual servers behind them, but not for ever", async () => {
  const owner = `vrrp_instance VI_1 {
 interface eth0
 virtual_router_id 51
 priority 255
 virtual_ipaddress {
  10.0.0.20/24
 }
}
`;
  await using daemon = await DirectorDaemon.start(virtual(80, BOTH));
  const file = join(daemon.folder, "owner.conf");
  writeFileSync(file, owner + virtual(80, BOTH));
  const begin = () => daemon.balancer.start([EVENKEEL, "run", "-f", file, "--socket", `${daemon.socket}.2`]);
  // The data plane has another daemon, so that its director waits.
  const late = begin();
  await late.exited;
  assert.match(
    late.output,
    /director is not ready after 2000 ms; VRRP starts all the same\n[\s\S]*Entering MASTER STATE/,
  );
  await daemon.program.stop();
  const second = begin();
  await second.sees(/Entering MASTER STATE/);
  assert.doesNotMatch(second.output, /not ready/);
});

test("a daemon killed in the middle of a reload leaves what the next one puts right, wherever it was cut", async () => {
  const ports = Array.from({ length: 24 }, (_, index) => 1000 + index);
  const services = (first: number, count: number) =>
    ports
      .slice(first, first + count)
      .map((port) => `TCP ${VIP}:${port}`)
      .toSorted();
  const configuration = (first: number, count: number) =>
    ports
      .slice(first, first + count)
      .map((port) => virtual(port, BOTH, "alpha"))
      .join("");
  await using daemon = await DirectorDaemon.start(virtual(7, BOTH) + configuration(0, 12));
  await daemon.program.sees(/TCP connection to \[10\.1\.1\.2\]:tcp:7 success/);
  const talk = await conversation(daemon);
  const listed = async () =>
    [...(await daemon.balancer.run(EVENKEEL, "ipvsadm", "-Ln")).matchAll(/^(TCP) {2}(\S+)/gm)]
      .map(([, protocol, name]) => `${protocol} ${name}`)
      .toSorted();
  for (const [round, delay] of [0, 15, 40, 120].entries()) {
    const [first, count] = round % 2 === 0 ? [8, 16] : [0, 12];
    daemon.write(virtual(7, BOTH) + configuration(first, count));
    daemon.program.kill("SIGHUP");
    await new Promise((resolve) => setTimeout(resolve, delay));
    const family = tree(daemon.program.pid);
    signalTree(daemon.program.pid, "SIGKILL");
    await gone(family);
    assert.equal(await talk.say(`cut after ${delay} ms`), `cut after ${delay} ms`);
    await daemon.run();
    const expected = [...services(first, count), `TCP ${VIP}:7`].toSorted();
    await until("exactly what is configured is there", async () => `${await listed()}` === `${expected}`);
    assert.equal(await talk.say("and on"), "and on");
  }
});
