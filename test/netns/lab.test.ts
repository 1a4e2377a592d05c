/** Labs in the kernel: what comes up, what breaks when it is broken, and what is left afterwards. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadTopology } from "../../src/lab/file.ts";
import { Lab, LabError, type UpOptions } from "../../src/lab/lab.ts";
import type { LabNode } from "../../src/lab/node.ts";
import { isAlive, readProcess } from "../../src/lab/processes.ts";
import type { Topology } from "../../src/lab/topology.ts";
import { until } from "../support/until.ts";

const ROUTER = fileURLToPath(new URL("../fixtures/lab/router.lab.yml", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../../examples/haproxy-keepalived/docker-compose.yml", import.meta.url));

async function up(t: TestContext, file: string | Topology, options: UpOptions = {}): Promise<Lab> {
  const lab = await Lab.up(file, options);
  t.after(() => lab.down());
  return lab;
}

const hasStarted = (node: LabNode, count: number) =>
  until(`${count} processes in ${node.name}`, () => node.processes().length === count);

async function probe(node: LabNode, ...args: string[]): Promise<readonly Record<string, unknown>[]> {
  const { status, stdout, stderr } = await node.exec(["node", `${node.projectFolder}/src/lab/probe-main.ts`, ...args]);
  assert.equal(status, 0, stderr);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("a packet that is routed once arrives with a TTL of 63", async (t) => {
  const lab = await up(t, ROUTER);
  const records = await probe(lab.node("a"), "--icmp", "10.2.0.2", "--count", "3", "--interval", "10");
  assert.deepEqual(
    records.map(({ sequence, ok, by, ttl }) => [sequence, ok, by, ttl]),
    [
      [0, true, "10.2.0.2", 63],
      [1, true, "10.2.0.2", 63],
      [2, true, "10.2.0.2", 63],
    ],
  );
});

test("a node has its own host name, /etc, /run, /tmp and environment, and what is bound into it read-only", async (t) => {
  const lab = await up(t, ROUTER);
  const b = lab.node("b");
  const sh = async (node: LabNode, script: string) => (await node.exec(["sh", "-c", script])).stdout.trim();
  assert.equal(await sh(b, "hostname"), "b");
  assert.equal(await sh(b, "cat /run/started"), "started");
  assert.equal(
    await sh(b, "cat /etc/page; echo more >>/etc/page 2>/dev/null || echo refused"),
    "the page of b\nrefused",
  );
  assert.equal(await sh(b, "echo $GREETING $EVENKEEL_LAB_NODE"), "hello b");
  assert.equal(await sh(b, "touch /tmp/mine /run/mine; ls /tmp"), "mine");
  assert.equal(await sh(lab.node("a"), "ls /tmp; ls /run/mine 2>/dev/null; ls /etc/page 2>/dev/null"), "");
  assert.equal(await sh(lab.node("a"), "getent hosts r | head -1"), "10.1.0.1        r");
});

test("exec gives status, output and errors, takes input, and ends what takes too long", async (t) => {
  const lab = await up(t, ROUTER, { programs: false });
  const a = lab.node("a");
  assert.deepEqual(await a.exec(["sh", "-c", "cat; echo bad >&2; exit 3"], { input: "in" }), {
    status: 3,
    stdout: "in",
    stderr: "bad\n",
  });
  assert.equal((await a.exec(["/no/such/program"])).status, 127);
  assert.equal((await a.exec(["sh", "-c", "kill -TERM $$"])).status, 143);
  assert.equal((await a.exec(["sh", "-c", "sleep 1003 & sleep 1003"], { timeoutMs: 50 })).status, 124);
  // Killed is not yet gone: the kernel takes its time to end them.
  await until("the whole tree is gone", () => a.processes().length === 0);
  const big = await a.exec(["sh", "-c", "head -c 3000000 /dev/zero"]);
  assert.equal(big.stdout.length, 3_000_000);
});

test("a pulled cable is seen as a lost carrier, and by the others as silence", async (t) => {
  const lab = await up(t, ROUTER, { programs: false });
  const a = lab.node("a");
  const carrier = async () => (await a.links()).map((one) => [one.interface, one.up, one.carrier]);
  assert.deepEqual(await carrier(), [["eth0", true, true]]);
  await a.link("eth0", "down");
  assert.deepEqual(await carrier(), [["eth0", true, false]]);
  const [lost] = await probe(lab.node("r"), "--icmp", "10.1.0.2", "--count", "1", "--timeout", "50");
  assert.equal(lost?.ok, false);
  await a.link("eth0", "up");
  await until("the carrier is back", async () => (await a.links())[0]?.carrier);
  const [found] = await probe(lab.node("r"), "--icmp", "10.1.0.2", "--count", "1");
  assert.equal(found?.ok, true);
  await assert.rejects(() => a.link("eth7", "down"), new LabError('node a has no interface "eth7" (it has eth0)'));
});

test("pause, resume and kill reach a program and all that came of it", async (t) => {
  const lab = await up(t, ROUTER);
  const b = lab.node("b");
  await hasStarted(b, 3);
  const states = () => b.processes().map((one) => `${one.program} ${one.state === "T"}`);
  assert.equal(await b.signal("tree", "SIGSTOP"), 3);
  await until("all three are stopped", () => states().join() === "tree true,tree true,tree true");
  assert.equal(await b.signal("tree", "SIGCONT"), 3);
  await until("all go on", () => states().every((one) => one === "tree false"));
  assert.equal(await b.signal("tree", "SIGKILL"), 3);
  await until("all three are gone", () => b.processes().length === 0);
  await assert.rejects(() => b.signal("tree", "SIGKILL"), /nothing called "tree" runs in node b/);
});

test("another signal goes to the program alone, and its orphans are still its own", async (t) => {
  const lab = await up(t, ROUTER);
  const b = lab.node("b");
  await hasStarted(b, 3);
  assert.equal(await b.signal("tree", "SIGTERM"), 1);
  assert.equal(await b.process("tree").exited, 143);
  assert.deepEqual(
    b
      .processes()
      .map((one) => one.command)
      .sort(),
    ["sleep 1001", "sleep 1002"],
  );
  assert.equal(await b.signal("tree", "SIGKILL"), 2);
});

test("a lab goes down while a program in it is paused", async (t) => {
  const lab = await up(t, ROUTER);
  await hasStarted(lab.node("b"), 3);
  await lab.node("b").signal("tree", "SIGSTOP");
  await lab.down();
  assert.deepEqual(lab.inits().filter(isAlive), []);
});

test("a spawned program has a log, an exit status and a name of its own", async (t) => {
  const lab = await up(t, ROUTER, { programs: false });
  const a = lab.node("a");
  const first = await a.spawn(["sh", "-c", "echo one; echo two >&2; read -r line; exit 7"], { name: "talk" });
  assert.equal(await first.exited, 7);
  assert.deepEqual(first.lines(), ["one", "two"]);
  const second = await a.spawn(["sleep", "1004"]);
  const third = await a.spawn(["sleep", "1004"]);
  assert.deepEqual([second.name, third.name], ["sleep", "sleep-2"]);
  assert.equal(readProcess(third.hostPid)?.name, "sleep");
  await third.signal("SIGINT");
  assert.equal(await third.exited, 130);
  assert.equal(isAlive({ pid: second.hostPid, startTicks: readProcess(second.hostPid)?.startTicks ?? 0 }), true);
});

test("orphans are waited for: no zombie stays in a node", async (t) => {
  const lab = await up(t, ROUTER, { programs: false });
  const a = lab.node("a");
  await a.exec(["sh", "-c", "(sleep 0.01 &) ; exit 0"]);
  const zombies = async () =>
    (await a.exec(["sh", "-c", "cat /proc/[0-9]*/stat"])).stdout.split("\n").filter((line) => / Z /.test(line));
  await until("no zombie", async () => (await zombies()).length === 0);
});

test("down leaves no process, mount, name or file behind, and may be called twice", async (t) => {
  const before = remains();
  const lab = await up(t, ROUTER, { tied: false });
  await hasStarted(lab.node("b"), 3);
  const pids = [
    ...lab.inits().map((one) => one.pid),
    ...lab
      .node("b")
      .processes()
      .map((one) => one.hostPid),
  ];
  assert.equal(
    pids.every((pid) => readProcess(pid) !== undefined),
    true,
  );
  if (!lab.rootless) {
    const named = readdirSync("/run/netns").filter((name) => name.startsWith("lab-"));
    assert.deepEqual(named.sort(), ["lab-router-a", "lab-router-b", "lab-router-r"]);
  }
  await lab.down();
  assert.deepEqual(
    pids.filter((pid) => isAlive({ pid, startTicks: readProcess(pid)?.startTicks ?? 0 })),
    [],
  );
  assert.deepEqual(remains(), before);
});

/** What a lab could leave in the world around it. */
function remains() {
  const list = (path: string, recursive = false) => {
    try {
      return readdirSync(path, { recursive }).sort();
    } catch {
      return [];
    }
  };
  return {
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ").slice(3, 5).join(" ")),
    names: list("/run/netns"),
    files: list("/run/evenkeel", true),
    interfaces: list("/sys/class/net"),
    hostname: readFileSync("/proc/sys/kernel/hostname", "utf8"),
    namespace: readlinkSync("/proc/self/ns/net"),
  };
}

test("two labs run side by side, and a name that is taken is refused", async (t) => {
  const first = await up(t, ROUTER, { programs: false });
  const second = await up(t, ROUTER, { name: "other", programs: false });
  await assert.rejects(() => up(t, ROUTER), /a lab called "router" is running already/);
  await assert.rejects(() => Lab.attach(), /several labs are running \(.*\): name one/);
  assert.equal((await Lab.attach("other")).node("a").name, "a");
  await first.down();
  assert.equal((await second.node("a").exec(["true"])).status, 0);
  assert.equal((await Lab.attach()).name, "other");
  await second.down();
});

test("a node that cannot be made fails the whole lab, and says why", async (t) => {
  const { topology } = loadTopology(ROUTER);
  assert.ok(topology);
  const before = remains();
  // Two cables with one end: the kernel refuses the second.
  const nodes = topology.nodes.map((node) => ({ ...node, interfaces: [...node.interfaces, ...node.interfaces] }));
  await assert.rejects(
    () => up(t, { ...topology, nodes }),
    (error) =>
      error instanceof LabError &&
      /^node \w could not be made$/.test(error.message) &&
      /File exists/.test(error.details),
  );
  assert.deepEqual(remains(), before);
});

test("a program that ends at once with an error fails the lab and shows what it wrote", async (t) => {
  const { topology } = loadTopology(ROUTER);
  assert.ok(topology);
  const before = remains();
  const programs = [{ name: "broken", command: ["sh", "-c", "echo no luck; exit 4"] as const }];
  const nodes = topology.nodes.map((node) => (node.name === "a" ? { ...node, programs } : node));
  await assert.rejects(
    () => up(t, { ...topology, nodes }),
    (error) =>
      error instanceof LabError &&
      error.message === 'node a: "broken" ended at once with status 4' &&
      error.details === "no luck",
  );
  assert.deepEqual(remains(), before);
});

test("a published port leads into its node, and one that is taken is refused before anything is made", async (t) => {
  const { topology } = loadTopology(ROUTER);
  assert.ok(topology);
  const web = { name: "web", command: ["node", "src/lab/web-server.ts", "--name", "inside", "--port", "81"] as const };
  const ports = [{ hostAddress: "127.0.0.1" as never, hostPort: 18_081, nodePort: 81 }];
  const folder = fileURLToPath(new URL("../..", import.meta.url));
  const nodes = topology.nodes.map((node) => (node.name === "a" ? { ...node, ports, programs: [web] } : node));
  const lab = await up(t, { ...topology, folder, nodes });
  const page = await until("the web server answers", async () => {
    try {
      return await (await fetch("http://127.0.0.1:18081/", { headers: { connection: "close" } })).text();
    } catch {
      return undefined;
    }
  });
  assert.equal(page, "inside\n");
  await lab.down();
  const taken = createServer().listen(18_081, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  await assert.rejects(
    () => up(t, { ...topology, folder, nodes }),
    new LabError("port 127.0.0.1:18081 of this machine, published for node a, is taken by another program"),
  );
  taken.close();
});

test("the example's clients reach its servers through the first balancer's own addresses", async (t) => {
  const lab = await up(t, EXAMPLE, { name: "example", programs: false });
  assert.deepEqual(
    lab.nodes().map((node) => node.name),
    ["lb1", "lb2", "h1", "h2", "s1", "s2", "s3"],
  );
  await lab.node("h1").exec(["ip", "route", "replace", "187.2.9.0/24", "via", "178.9.2.200"]);
  await lab.node("s1").exec(["ip", "route", "replace", "178.9.2.0/24", "via", "187.2.9.100"]);
  const [record] = await probe(lab.node("h1"), "--icmp", "187.2.9.101", "--count", "1");
  assert.equal(record?.ttl, 63);
  assert.match((await lab.node("lb2").exec(["cat", "/tmp/haproxy.cfg"])).stdout, /backend web_servers/);
});
