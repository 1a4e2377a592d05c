/** What virtual routers track, with real files, processes, links, proxies and virtual servers: does the VIP move, and why. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import type { DaemonEvent } from "../../src/daemon/events.ts";
import { TestNetwork, type TestNode, type TestProgram } from "../support/namespace.ts";
import { until } from "../support/until.ts";
import { EVENKEEL } from "../support/vrrp-pair.ts";

const execute = promisify(execFile);
const VIP = "10.9.0.100";

/** One of two routers on a LAN: `evenkeel run` with its files. */
class Router {
  readonly node: TestNode;
  readonly folder: string;
  readonly program: TestProgram;

  constructor(node: TestNode, folder: string, files: Readonly<Record<string, string>>) {
    this.node = node;
    this.folder = mkdtempSync(join(folder, "router-"));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.folder, name), text);
    const paths = Object.keys(files).flatMap((name) => ["-f", join(this.folder, name)]);
    this.program = node.start([EVENKEEL, "run", ...paths, "--socket", this.socket]);
  }

  get socket(): string {
    return join(this.folder, "control.sock");
  }

  async holds(): Promise<boolean> {
    const [link] = await this.node.ipJson("-4", "addr", "show", "dev", "eth0");
    return (link.addr_info as { local: string }[]).some(({ local }) => local === VIP);
  }

  /** Of the last change of VI_1 to this state. */
  async cause(to: string): Promise<string> {
    return until(`${to}; it said:\n${this.program.output.slice(-2_000)}`, async () => {
      const { stdout } = await execute(EVENKEEL, ["events", "--no-follow", "--socket", this.socket]);
      const events = stdout
        .trim()
        .split("\n")
        .map((line): DaemonEvent => JSON.parse(line));
      const states = events.filter((event) => event.kind === "vrrp-state" && event.instance === "VI_1");
      const found = states.findLast((event) => "to" in event && event.to === to);
      return found !== undefined && "cause" in found ? found.cause : undefined;
    });
  }
}

interface Setting {
  readonly blocks?: string;
  readonly tracking: string;
  readonly files?: Readonly<Record<string, string>>;
}

const keepalived = (priority: number, { blocks = "", tracking }: Setting): string => `
${blocks}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority ${priority}
    version 3
    advert_int 0.2
    virtual_ipaddress {
        ${VIP}/24
    }
    ${tracking}
}
`;

/** Two routers, of which the first tracks something and is MASTER. */
async function pairOf(context: TestContext, setting: (folder: string) => Setting): Promise<readonly [Router, Router]> {
  const folder = mkdtempSync(join(tmpdir(), "trackers-"));
  const network = new TestNetwork();
  context.after(async () => {
    await network[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const [a, b] = [await network.node("a"), await network.node("b")];
  await network.link(
    { node: a, interface: "eth0", addresses: ["10.9.0.1/24"] },
    { node: b, interface: "eth0", addresses: ["10.9.0.2/24"] },
  );
  const { files, ...tracked } = setting(folder);
  const first = new Router(a, folder, { "keepalived.conf": keepalived(150, tracked), ...files });
  const second = new Router(b, folder, { "keepalived.conf": keepalived(100, { tracking: "" }) });
  return [first, second];
}

/** The VIP is at `to` and nowhere else. */
const movedTo = async (to: Router, from: Router): Promise<void> => {
  await until("the VIP has moved", async () => (await to.holds()) && !(await from.holds()));
};

test("a tracked file moves the VIP: written, replaced by another, deleted", async (t) => {
  let file = "";
  const [first, second] = await pairOf(t, (folder) => {
    file = join(folder, "later", "drain");
    return { blocks: `track_file drain {\n file ${file}\n weight 0\n}`, tracking: "track_file {\n drain\n}" };
  });
  await movedTo(first, second);
  mkdirSync(join(file, ".."));
  writeFileSync(file, "1\n");
  await movedTo(second, first);
  assert.equal(await first.cause("FAULT"), `${file} holds 1`);
  writeFileSync(`${file}.new`, "0\n");
  renameSync(`${file}.new`, file);
  await movedTo(first, second);
  assert.equal(await first.cause("BACKUP"), `${file} holds 0`);
  writeFileSync(file, "3\n");
  await movedTo(second, first);
  rmSync(file);
  await movedTo(first, second);
});

test("a tracked process that is killed moves the VIP, and one that starts brings it back", async (t) => {
  const name = `ek${process.pid}w`;
  const folder = mkdtempSync(join(tmpdir(), "worker-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const worker = join(folder, name);
  writeFileSync(worker, "#!/bin/sh\nread forever </dev/zero\nsleep 300 & wait\n", { mode: 0o755 });
  const network = new TestNetwork();
  const elsewhere = await network.node("w");
  t.after(() => network[Symbol.asyncDispose]());
  const start = () => elsewhere.start([worker]);
  let program = start();
  const [first, second] = await pairOf(t, () => ({
    blocks: `vrrp_track_process worker {\n process ${name}\n weight 0\n}`,
    tracking: "track_process {\n worker\n}",
  }));
  await movedTo(first, second);
  const began = performance.now();
  await program.stop("SIGKILL");
  await first.program.sees(/\(VI_1\) Entering FAULT STATE/);
  const noticed = performance.now() - began;
  await movedTo(second, first);
  assert.equal(await first.cause("FAULT"), "process worker does not run");
  t.diagnostic(`FAULT ${noticed.toFixed(0)} ms after the kill`);
  program = start();
  await movedTo(first, second);
  await program.stop("SIGKILL");
});

const haproxy = `
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 1s

frontend www
    bind 127.0.0.1:8080
    default_backend web

backend web
    server s1 127.0.0.1:8001 check inter 100ms fall 1 rise 1
    server s2 127.0.0.1:8002 check inter 100ms fall 1 rise 1
`;

const HTTPD = "require('node:net').createServer((c) => c.end()).listen(Number(process.argv[1]), process.argv[2])";
const serve = (node: TestNode, port: number, address = "127.0.0.1"): TestProgram =>
  node.start([process.execPath, "-e", HTTPD, String(port), address]);

test("a backend without a server that is up moves the VIP, and the cause goes down to the server", async (t) => {
  const [first, second] = await pairOf(t, () => ({
    tracking: "track_proxy {\n www\n}",
    files: { "haproxy.cfg": haproxy },
  }));
  const one = serve(first.node, 8001);
  let two = serve(first.node, 8002);
  await movedTo(first, second);
  const before = first.program.output.length;
  await one.stop("SIGKILL");
  await until("s1 is down", () => first.program.output.slice(before).includes("Server web/s1 is DOWN"));
  assert.ok(await first.holds(), "one server is enough");
  await two.stop("SIGKILL");
  await movedTo(second, first);
  const cause = await first.cause("FAULT");
  assert.match(
    cause,
    /^server s2: Layer4 connection problem.* → backend web has no server up → frontend www has no server$/,
  );
  two = serve(first.node, 8002);
  await movedTo(first, second);
});

test("a virtual server that loses its quorum moves the VIP", async (t) => {
  const [first, second] = await pairOf(t, () => ({
    blocks: `virtual_server 10.9.0.100 80 {
    delay_loop 1
    protocol TCP
    lb_kind NAT
    real_server 10.9.0.1 8001 {
        TCP_CHECK {
            connect_timeout 1
            retry 0
        }
    }
}`,
    tracking: "track_service {\n 10.9.0.100 80\n}",
  }));
  let server = serve(first.node, 8001, "10.9.0.1");
  await first.program.sees(/Gained quorum/);
  await until("the VIP is there", () => first.holds());
  await server.stop("SIGKILL");
  await movedTo(second, first);
  const cause = await first.cause("FAULT");
  assert.match(cause, / → virtual server \[10\.9\.0\.100\]:tcp:80 has lost its quorum$/);
  server = serve(first.node, 8001, "10.9.0.1");
  await movedTo(first, second);
  await server.stop("SIGKILL");
});

test("a check script that runs while its vrrp process is killed does not outlive it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "slow-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [script, pids] = [join(folder, "slow"), join(folder, "pids")];
  writeFileSync(script, `#!/bin/sh\necho $$ >>${pids}\nsleep 300\n`, { mode: 0o755 });
  const running = (): number[] => {
    const all = existsSync(pids) ? readFileSync(pids, "utf8").trim().split("\n").map(Number) : [];
    return all.filter((pid) => existsSync(`/proc/${pid}`));
  };
  const [first] = await pairOf(t, () => ({
    blocks: `vrrp_script slow {\n script "${script}"\n interval 400\n timeout 400\n weight 10\n}`,
    tracking: "track_script {\n slow\n}",
  }));
  const [pid] = await until("the script runs", () => (running().length === 1 ? running() : undefined));
  const [, vrrp] = await first.program.sees(/Starting vrrp child process, pid=(\d+)/i);
  // A process that dies before is a start that failed.
  await first.program.sees(/Startup complete/);
  process.kill(Number(vrrp), "SIGKILL");
  await until("the script is gone, and the next vrrp process runs another", () => {
    const now = running();
    return now.length === 1 && now[0] !== pid;
  });
});

test("a link says what it lacks: its carrier, or that somebody set it down", async (t) => {
  const [first, second] = await pairOf(t, () => ({ tracking: "" }));
  await movedTo(first, second);
  await second.node.run("ip", "link", "set", "eth0", "down");
  assert.equal(await first.cause("FAULT"), "eth0 lost carrier");
  await second.node.run("ip", "link", "set", "eth0", "up");
  assert.equal(await first.cause("BACKUP"), "eth0 is up again");
  await until("the VIP is there", () => first.holds());
  await first.node.run("ip", "link", "set", "eth0", "down");
  await until("its cause", async () => (await first.cause("FAULT")) === "eth0 was set down");
});
