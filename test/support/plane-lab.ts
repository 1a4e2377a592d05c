/** The data plane in the kernel between a client and real servers, each in a network namespace of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type OpenedPlane, openPlane, type PlaneOptions } from "../../src/daemon/plane/open.ts";
import { removeBpffs } from "../../src/sys/bpffs.ts";
import { enterNamespace } from "../../src/sys/namespaces.ts";
import { TestNetwork, type TestNode } from "./namespace.ts";
import { serverKey, serverSettings, serviceKey, serviceSettings } from "./tables.ts";
import { until } from "./until.ts";

export const VIP = "10.9.0.1";
export const WEB = serviceKey(VIP, 80);
export const SERVER = serverKey("10.2.0.2", 8080);

/** A client, a director and a real server whose way back is the director. */
export class PlaneLab implements AsyncDisposable {
  readonly network = new TestNetwork();
  readonly folder = mkdtempSync("/run/ek-plane");
  readonly #planes: OpenedPlane[] = [];
  readonly #sockets: (Server | Socket)[] = [];
  readonly #datagramSockets: DatagramSocket[] = [];
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

  /** Another real server, 10.3.0.2. */
  async second(): Promise<TestNode> {
    const node = await this.network.node("second");
    await this.network.link(
      { node, interface: "eth0", addresses: ["10.3.0.2/24"] },
      { node: this.director, interface: "eth2", addresses: ["10.3.0.1/24"] },
    );
    await node.run("ip", "route", "add", "default", "via", "10.3.0.1");
    await this.listen(node);
    return node;
  }

  /** An echo server at a real server. */
  async listen(node = this.server): Promise<void> {
    const echo = createServer((socket) => {
      this.#sockets.push(socket);
      socket.on("error", () => {}).pipe(socket);
    });
    this.#sockets.push(echo);
    // Listening takes a turn of the loop, the socket is made at once.
    node.within(() => echo.listen({ port: 8080, exclusive: true }));
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

  /** A client's datagrams to the VIP's port 53, and what an echoing real server hears of them. */
  async datagrams(...nodes: readonly TestNode[]): Promise<{ send(text: string): void; heard: string[] }> {
    const heard: string[] = [];
    for (const node of nodes) {
      const server = createSocket("udp4", (message) => heard.push(`${node.name.split("-").at(-1)}: ${message}`));
      await this.#bind(node, server, 5353, "0.0.0.0");
    }
    const client = createSocket("udp4");
    await this.#bind(this.client, client, 4000, "10.1.0.2");
    return { send: (text) => client.send(text, 53, VIP), heard };
  }

  async #bind(node: TestNode, socket: DatagramSocket, port: number, address: string): Promise<void> {
    this.#datagramSockets.push(socket);
    const home = openSync("/proc/self/ns/net", "r");
    try {
      enterNamespace(`/run/netns/${node.name}`, "net");
      socket.bind({ port, address, exclusive: true });
      await new Promise((resolve) => socket.once("listening", resolve));
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
    const layout = readdirSync(root).find((entry) => !/^(links|marks6?)$/.test(entry)) ?? "";
    return join(root, layout, "maps", name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) "destroy" in socket ? socket.destroy() : socket.close();
    for (const socket of this.#datagramSockets) socket.close();
    for (const each of this.#processes) await each.kill();
    for (const plane of this.#planes) this.within(() => plane.close());
    await this.network[Symbol.asyncDispose]();
    removeBpffs(join(this.folder, "bpf"));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class PlaneProcess {
  readonly child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(node: TestNode, role: string) {
    const script = fileURLToPath(new URL("./plane-process.ts", import.meta.url));
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

export async function echoes(socket: Socket, text: string): Promise<void> {
  let heard = "";
  const listen = (chunk: Buffer) => {
    heard += chunk;
  };
  socket.on("data", listen);
  socket.write(text);
  await until(`the echo of ${text}`, () => heard === text || undefined);
  socket.off("data", listen);
}

export function serve(lab: PlaneLab, plane: OpenedPlane): void {
  lab.within(() => {
    plane.addService(WEB, serviceSettings());
    plane.addServer(WEB, SERVER, serverSettings());
  });
}
