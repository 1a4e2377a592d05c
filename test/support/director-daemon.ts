/**
 * `evenkeel run` with virtual servers over the real data plane: a balancer between a client's network and two real servers
 * behind it (NAT), each in a namespace of its own.
 */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type {
  DirectorReport,
  RealServerReport,
  VirtualServerReport,
} from "../../src/daemon/director/virtual-server-report.ts";
import type { DaemonEvent } from "../../src/daemon/events.ts";
import type { StatusReport } from "../../src/daemon/supervisor/status.ts";
import { TestNetwork, type TestNode, type TestProgram } from "./namespace.ts";
import { EVENKEEL } from "./vrrp-pair.ts";

const execute = promisify(execFile);

export const VIP = "10.0.0.10";
export const VIP6 = "fd00::10";

/**
 * Answers HTTP requests with its name, echoes whatever else it is told on port 7, and answers datagrams on port 53 as if they
 * were questions to a name server, with its name behind the question. By IPv4 and IPv6.
 */
const SERVER = `
const http = require("node:http"), net = require("node:net"), dgram = require("node:dgram");
const name = process.argv[1];
const udp = dgram.createSocket("udp6", (question, from) => {
  question[2] = 0x81; question[3] = 0x80;
  udp.send(Buffer.concat([question, Buffer.from(name)]), from.port, from.address);
});
udp.bind(53, "::", () => http.createServer((request, response) => response.end(name)).listen(80, "::", () =>
  net.createServer((socket) => { socket.on("error", () => {}); socket.pipe(socket); }).listen(7, "::", () => console.log("ready"))));
`;

export class DirectorDaemon implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "director-"));
  readonly file = join(this.folder, "keepalived.conf");
  readonly socket = join(this.folder, "control.sock");
  readonly network = new TestNetwork();
  /** Of the test, destroyed with the network. */
  readonly sockets: Socket[] = [];
  readonly servers = new Map<string, { node: TestNode; program: TestProgram }>();
  balancer!: TestNode;
  client!: TestNode;
  program!: TestProgram;

  static async start(configuration: string, servers = ["rs1", "rs2"]): Promise<DirectorDaemon> {
    const daemon = new DirectorDaemon();
    try {
      await daemon.#build(servers);
      await daemon.run(configuration);
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** In a network that is there already. */
  static async among(balancer: TestNode, client: TestNode, configuration: string): Promise<DirectorDaemon> {
    const daemon = new DirectorDaemon();
    Object.assign(daemon, { balancer, client });
    try {
      await daemon.run(configuration);
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #build(servers: readonly string[]): Promise<void> {
    this.balancer = await this.#node("lb");
    this.client = await this.#node("client");
    await this.network.link(
      { node: this.balancer, interface: "eth0", addresses: ["10.0.0.1/24", `${VIP}/32`, "fd00::1/64", `${VIP6}/128`] },
      { node: this.client, interface: "eth0", addresses: ["10.0.0.100/24", "fd00::100/64"] },
    );
    for (const [index, name] of servers.entries()) {
      const node = await this.#node(name);
      const [v4, v6] = [`10.1.${index + 1}`, `fd01:${index + 1}:`];
      await this.network.link(
        { node: this.balancer, interface: `eth${index + 1}`, addresses: [`${v4}.1/24`, `${v6}:1/64`] },
        { node, interface: "eth0", addresses: [`${v4}.2/24`, `${v6}:2/64`] },
      );
      await node.run("ip", "route", "add", "default", "via", `${v4}.1`);
      await node.run("ip", "route", "add", "default", "via", `${v6}:1`);
      await this.serve(name, node);
    }
    await this.balancer.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
  }

  /** An address that is still being probed is no source. */
  async #node(name: string): Promise<TestNode> {
    const node = await this.network.node(name);
    await node.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
    return node;
  }

  /** Starts the programs of a real server (again). */
  async serve(name: string, node = this.servers.get(name)?.node): Promise<void> {
    if (node === undefined) throw new Error(`no server ${name}`);
    const program = node.start([process.execPath, "-e", SERVER, name]);
    this.servers.set(name, { node, program });
    await program.sees(/ready/);
  }

  async kill(name: string): Promise<void> {
    await this.servers.get(name)?.program.stop("SIGKILL");
  }

  async run(configuration?: string, ...options: string[]): Promise<void> {
    if (configuration !== undefined) this.write(configuration);
    this.program = this.balancer.start([EVENKEEL, "run", "-f", this.file, "--socket", this.socket, ...options]);
    await this.program.sees(/Startup complete/, 30_000);
  }

  write(configuration: string): void {
    writeFileSync(this.file, configuration);
  }

  async command(...argv: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    try {
      return { status: 0, ...(await execute(EVENKEEL, [...argv, "--socket", this.socket])) };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { status: code, stdout, stderr };
    }
  }

  async status(): Promise<StatusReport> {
    return JSON.parse((await this.command("status", "--json")).stdout);
  }

  async director(): Promise<DirectorReport> {
    const { director } = await this.status();
    if (director === undefined) throw new Error("no director in the status");
    return director;
  }

  async virtualServer(name: string): Promise<VirtualServerReport> {
    const found = (await this.director()).virtualServers.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no virtual server ${name}`);
    return found;
  }

  async realServer(virtual: string, address: string): Promise<RealServerReport> {
    const found = (await this.virtualServer(virtual)).servers.find((one) => one.name.startsWith(`[${address}]`));
    if (found === undefined) throw new Error(`no real server ${address}`);
    return found;
  }

  async events(): Promise<DaemonEvent[]> {
    const { stdout } = await this.command("events", "--no-follow");
    return stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  }

  /** The page that the VIP gives; `""` without an answer. */
  async page(port = 80, vip: string = VIP): Promise<string> {
    const host = vip.includes(":") ? `[${vip}]` : vip;
    try {
      return await this.client.run("curl", "-g", "-s", "-m", "3", `http://${host}:${port}/`);
    } catch {
      return "";
    }
  }

  /** How often each page came in so many requests. */
  async pages(count: number, vip: string = VIP): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (let i = 0; i < count; i++) {
      const page = await this.page(80, vip);
      counts[page] = (counts[page] ?? 0) + 1;
    }
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (this.program !== undefined) await this.program.stop().catch(() => undefined);
    await this.network[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
