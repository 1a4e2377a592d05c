import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type OpenedPlane, openPlane, type PlaneOptions, PlaneUnavailable } from "../../src/daemon/plane/open.ts";
import { numberKey } from "../../src/director/layouts.ts";
import { openPinnedMap } from "../../src/sys/bpf-map.ts";
import { removeBpffs } from "../../src/sys/bpffs.ts";
import { enterNamespace } from "../../src/sys/namespaces.ts";
import { DIRECTOR_OBJECT } from "../support/memory-maps.ts";
import { TestNetwork, type TestNode } from "../support/namespace.ts";
import { markKey, serverKey, serverSettings, serviceKey, serviceSettings } from "../support/tables.ts";
import { until } from "../support/until.ts";

const VIP = "10.9.0.1";
const WEB = serviceKey(VIP, 80);
const SERVER = serverKey("10.2.0.2", 8080);

/** A client, a director and a real server whose way back is the director. */
class PlaneLab implements AsyncDisposable {
  readonly network = new TestNetwork();
  readonly folder = mkdtempSync("/run/ek-plane");
  readonly #planes: OpenedPlane[] = [];
  readonly #sockets: (Server | Socket)[] = [];
  readonly #processes: PlaneProcess[] = [];
  client!: TestNode;
  director!: TestNode;
  server!: TestNode;

  static async start(): Promise<PlaneLab> {
    const lab = new PlaneLab();
    process.env.EVENKEEL_RUN = lab.folder;
    const { network } = lab;
    lab.client = await network.node("client");
    lab.director = await network.node("director");
    lab.server = await network.node("server");
    await network.link(
      { node: lab.client, interface: "eth0", addresses: ["10.1.0.2/24"] },
      { node: lab.director, interface: "eth0", addresses: ["10.1.0.1/24"] },
    );
    await network.link(
      { node: lab.server, interface: "eth0", addresses: ["10.2.0.2/24"] },
      { node: lab.director, interface: "eth1", addresses: ["10.2.0.1/24"] },
    );
    await lab.client.run("ip", "route", "add", "default", "via", "10.1.0.1");
    await lab.server.run("ip", "route", "add", "default", "via", "10.2.0.1");
    await lab.director.run("ip", "addr", "add", `${VIP}/32`, "dev", "lo");
    await lab.listen();
    return lab;
  }

  /** An echo server at the real server. */
  async listen(): Promise<void> {
    const echo = createServer((socket) => {
      this.#sockets.push(socket);
      socket.on("error", () => {}).pipe(socket);
    });
    this.#sockets.push(echo);
    // Listening takes a turn of the loop, the socket is made at once.
    this.server.within(() => echo.listen({ port: 8080, exclusive: true }));
    await new Promise((resolve) => echo.once("listening", resolve));
  }

  open(options: Partial<PlaneOptions> = {}): OpenedPlane {
    const plane = this.director.within(() => openPlane({ role: "command", capacity: 4096, ...options }));
    this.#planes.push(plane);
    return plane;
  }

  within<T>(work: () => T): T {
    return this.director.within(work);
  }

  /** A client's connection by the VIP. */
  async connect(port = 80, from = this.client): Promise<Socket> {
    const home = openSync("/proc/self/ns/net", "r");
    try {
      // `connect` makes its socket a turn of the loop later, so the stay lasts until it is connected.
      enterNamespace(`/run/netns/${from.name}`, "net");
      const socket = connect({ port, host: VIP });
      this.#sockets.push(socket);
      await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
      return socket;
    } finally {
      enterNamespace(`/proc/self/fd/${home}`, "net");
      closeSync(home);
    }
  }

  process(role: PlaneOptions["role"]): PlaneProcess {
    const process = new PlaneProcess(this.director, role);
    this.#processes.push(process);
    return process;
  }

  pins(): string[] {
    const bpffs = join(this.folder, "bpf");
    const debug = new Set(["maps.debug", "progs.debug"]);
    return existsSync(bpffs) ? readdirSync(bpffs).filter((name) => !debug.has(name)) : [];
  }

  /** Path of a pinned map. */
  map(name: string): string {
    const root = join(this.folder, "bpf", this.pins()[0] ?? "", "director");
    const layout = readdirSync(root).find((entry) => entry !== "links") ?? "";
    return join(root, layout, "maps", name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) "destroy" in socket ? socket.destroy() : socket.close();
    for (const each of this.#processes) await each.kill();
    for (const plane of this.#planes) this.within(() => plane.close());
    await this.network[Symbol.asyncDispose]();
    removeBpffs(join(this.folder, "bpf"));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

class PlaneProcess {
  readonly child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(node: TestNode, role: string) {
    const script = fileURLToPath(new URL("../support/plane-process.ts", import.meta.url));
    const parameters = ["netns", "exec", node.name, process.execPath, script, role];
    this.child = spawn("ip", parameters, { stdio: ["pipe", "pipe", "inherit"] });
    if (this.child.stdout === null) throw new Error("no standard output");
    this.#answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are as various as the calls
  async answer(): Promise<any> {
    return JSON.parse((await this.#answers.next()).value);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  async call(...words: unknown[]): Promise<any> {
    this.child.stdin?.write(`${JSON.stringify(words)}\n`);
    return this.answer();
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await new Promise((resolve) => this.child.once("close", resolve));
  }
}

async function echoes(socket: Socket, text: string): Promise<void> {
  let heard = "";
  const listen = (chunk: Buffer) => {
    heard += chunk;
  };
  socket.on("data", listen);
  socket.write(text);
  await until(`the echo of ${text}`, () => heard === text || undefined);
  socket.off("data", listen);
}

function serve(lab: PlaneLab, plane: OpenedPlane): void {
  lab.within(() => {
    plane.addService(WEB, serviceSettings());
    plane.addServer(WEB, SERVER, serverSettings());
  });
}

describe("the data plane in the kernel", () => {
  test("forwards without any process, and who opens it next finds connections and counts", async () => {
    await using lab = await PlaneLab.start();
    const daemon = lab.process("daemon");
    assert.equal(await daemon.answer(), "open");
    assert.deepEqual(await daemon.call("addService", WEB, serviceSettings()), {});
    assert.deepEqual(await daemon.call("addServer", WEB, SERVER, serverSettings()), {});
    const socket = await lab.connect();
    await echoes(socket, "one");
    await daemon.kill();
    await echoes(socket, "two");
    const plane = lab.open();
    const entry = plane.service(WEB);
    assert.deepEqual([entry?.servers[0]?.active, entry?.counters.connections], [1, 1n]);
    assert.ok((entry?.counters.packetsIn ?? 0n) >= 4n);
    const [connection] = plane.connections();
    assert.deepEqual(connection?.destination, SERVER);
    assert.equal(connection?.state, "ESTABLISHED");
    assert.equal(connection?.client.address, "10.1.0.2");
    assert.ok((connection?.expiresInMs ?? 0) > 890_000 && (connection?.expiresInMs ?? 0) <= 900_000);
    await echoes(await lab.connect(), "three");
    assert.equal(plane.service(WEB)?.counters.connections, 2n);
  });

  test("a second daemon is refused and told who the first is", async () => {
    await using lab = await PlaneLab.start();
    const first = lab.process("daemon");
    assert.equal(await first.answer(), "open");
    assert.throws(
      () => lab.open({ role: "daemon" }),
      (error) =>
        error instanceof PlaneUnavailable &&
        error.reason === "held" &&
        /process \d+ runs as the director/.test(error.message),
    );
    await first.kill();
    lab.open({ role: "daemon" });
  });

  test("two processes that change it at once lose nothing", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    lab.within(() => plane.addService(WEB, serviceSettings()));
    const [a, b] = [lab.process("command"), lab.process("command")];
    await Promise.all([a.answer(), b.answer()]);
    const add = async (process: PlaneProcess, net: number) => {
      for (let host = 1; host <= 40; host++) {
        const key = serverKey(`10.${net}.0.${host}`, 80);
        assert.deepEqual(await process.call("addServer", WEB, key, serverSettings()), {});
      }
    };
    await Promise.all([add(a, 3), add(b, 4)]);
    const servers = plane.service(WEB)?.servers ?? [];
    assert.equal(new Set(servers.map(({ key }) => key.address)).size, 80);
  });

  test("another object with the same layout takes over under traffic", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    lab.within(() => plane.setTimeouts({ tcp: 3, tcpFin: 0, udp: 0 }));
    const socket = await lab.connect();
    await echoes(socket, "before");
    const folder = mkdtempSync(join(tmpdir(), "ek-object-"));
    try {
      const object = join(folder, "director.bpf.o");
      copyFileSync(DIRECTOR_OBJECT, object);
      // Sections are found by the header, so what follows the last one changes nothing but the object's hash.
      appendFileSync(object, "\n");
      const said: string[] = [];
      const upgraded = lab.open({ object, say: (text) => said.push(text) });
      assert.deepEqual(said, ["the data plane has been upgraded; its connections go on"]);
      await echoes(socket, "after");
      assert.equal(upgraded.service(WEB)?.counters.connections, 1n);
      await echoes(await lab.connect(), "new");
      assert.equal(upgraded.service(WEB)?.servers[0]?.active, 2);
      assert.deepEqual(said.length, 1);
      await until("both connections have ended", () => upgraded.table().connections === 0);
      assert.deepEqual([...upgraded.connections()], []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("connections end although what turns their wheel was lost and no other packet comes", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    lab.within(() => plane.setTimeouts({ tcp: 1, tcpFin: 0, udp: 0 }));
    await echoes(await lab.connect(), "the last");
    const wheel = openPinnedMap(lab.map("wheel"));
    // Takes the timer away.
    wheel.update(numberKey(0), new Uint8Array(wheel.information.valueBytes));
    wheel.close();
    assert.equal(plane.table().connections, 1);
    const daemon = lab.process("daemon");
    assert.equal(await daemon.answer(), "open");
    await until("it has ended", () => plane.table().connections === 0);
  });

  test("from another layout services and servers are copied", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    lab.within(() => plane.setTimeouts({ tcp: 77, tcpFin: 0, udp: 0 }));
    const [cookie = ""] = lab.pins();
    const root = join(lab.folder, "bpf", cookie, "director");
    const layout = readdirSync(root).find((name) => name !== "links") ?? "";
    renameSync(join(root, layout), join(root, "older"));
    const beside = (name: string) => join(lab.folder, `plane-${cookie}.layout-${name}`);
    renameSync(beside(layout), beside("older"));
    const said: string[] = [];
    const copied = lab.open({ say: (text) => said.push(text) });
    assert.match(said.join(), /another version has been replaced: 1 services were copied/);
    assert.deepEqual(copied.service(WEB)?.servers[0]?.key, SERVER);
    assert.equal(copied.timeouts().tcp, 77);
    assert.deepEqual(readdirSync(root).sort(), [layout, "links"].sort());
    await echoes(await lab.connect(), "on the new maps");
  });

  test("-C leaves nothing behind, and the next command starts afresh", async () => {
    await using lab = await PlaneLab.start();
    const sysctl = () => lab.within(() => readFileSync("/proc/sys/net/ipv4/conf/lo/forwarding", "utf8").trim());
    const rules = await lab.director.ipJson("rule", "show");
    const before = sysctl();
    const plane = lab.open();
    serve(lab, plane);
    lab.within(() => plane.addService(markKey(5), serviceSettings()));
    assert.equal(sysctl(), "1");
    assert.notDeepEqual(await lab.director.ipJson("rule", "show"), rules);
    lab.within(() => plane.flush());
    lab.within(() => plane.close());
    assert.deepEqual(lab.pins(), []);
    assert.equal(sysctl(), before);
    assert.deepEqual(await lab.director.ipJson("rule", "show"), rules);
    assert.deepEqual((await lab.director.ipJson("route", "show", "table", "17739")).length, 0);
    assert.deepEqual(lab.open().services(), []);
  });

  test("a command that found nothing in use does not take the plane from under another's feet", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    lab.open().close();
    assert.deepEqual(lab.pins(), []);
    serve(lab, plane);
    assert.equal(lab.open().services().length, 1);
    await echoes(await lab.connect(), "served");
  });

  test("interfaces that appear later forward after attachMissing", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    const late = await lab.network.node("late");
    await lab.network.link(
      { node: late, interface: "eth0", addresses: ["10.3.0.2/24"] },
      { node: lab.director, interface: "eth2", addresses: ["10.3.0.1/24"] },
    );
    await late.run("ip", "route", "add", "default", "via", "10.3.0.1");
    lab.within(() => plane.attachMissing());
    await echoes(await lab.connect(80, late), "late");
  });

  test("clients who only wait learn that their server is gone", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    const socket = await lab.connect();
    await echoes(socket, "hello");
    const failed = new Promise<NodeJS.ErrnoException>((resolve) => socket.once("error", resolve));
    lab.within(() => plane.deleteServer(WEB, SERVER));
    assert.equal((await failed).code, "ECONNRESET");
  });

  test("the balancer's own connections to its service reach the real server", async () => {
    await using lab = await PlaneLab.start();
    const plane = lab.open();
    serve(lab, plane);
    await echoes(await lab.connect(80, lab.director), "by the balancer");
    const [one] = [...plane.connections()];
    assert.deepEqual([one?.client.address, one?.state, one?.destination], [VIP, "ESTABLISHED", SERVER]);
  });

  test("packets with a firewall mark reach its service", async () => {
    await using lab = await PlaneLab.start();
    await lab.director.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
    await lab.director.run("nft", "add table ip t");
    await lab.director.run("nft", "add chain ip t c { type filter hook prerouting priority mangle; }");
    await lab.director.run("nft", "add rule ip t c tcp dport { 81, 82 } mark set 5");
    const plane = lab.open();
    lab.within(() => {
      plane.addService(markKey(5), serviceSettings());
      plane.addServer(markKey(5), SERVER, serverSettings());
    });
    for (const port of [81, 82]) await echoes(await lab.connect(port), `by port ${port}`);
    assert.equal(plane.service(markKey(5))?.counters.connections, 2n);
  });
});
