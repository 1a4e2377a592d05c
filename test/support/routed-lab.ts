/**
 * A client, a balancer and a real server with a router on either side of the balancer, so that ways have MTUs of their own:
 *
 *     client — near — director — far — real      10.1 10.2 10.3 10.4, fd01 to fd04
 *                     director ——————— real      10.6, fd06: without a router, for DR
 *     client ————————————————————————— real      10.5, fd05: answers from the VIP
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { IpAddress } from "../../src/base/ip.ts";
import { TestNetwork, type TestNode, type TestProgram } from "./namespace.ts";

const EVENKEEL = fileURLToPath(new URL("../../bin/evenkeel", import.meta.url));
export type Family = 4 | 6;
export const VIPS = { 4: "10.9.0.1", 6: "fd09::1" } as Record<Family, IpAddress>;
/** Behind the router, and without one. */
export const FAR = { 4: "10.4.0.2", 6: "fd04::2" } as Record<Family, IpAddress>;
export const NEAR = { 4: "10.6.0.2", 6: "fd06::2" } as Record<Family, IpAddress>;

export const at = (address: IpAddress, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

export class RoutedLab implements AsyncDisposable {
  readonly #network = new TestNetwork();
  readonly #nodes = new Map<string, TestNode>();

  static async start(): Promise<RoutedLab> {
    const lab = new RoutedLab();
    for (const name of ["client", "near", "director", "far", "real"]) {
      const node = await lab.#network.node(name);
      // Else a second passes until a link-local address may ask for neighbours.
      await node.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=0", "net.ipv6.conf.default.accept_dad=0");
      if (name === "near" || name === "far") {
        await node.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
      }
      lab.#nodes.set(name, node);
    }
    await lab.#link("client", "near", 1);
    await lab.#link("near", "director", 2);
    await lab.#link("director", "far", 3);
    await lab.#link("far", "real", 4);
    await lab.#link("client", "real", 5);
    await lab.#link("director", "real", 6);
    const { client, near, director, far, real } = lab;
    for (const [node, to, via] of [
      [client, "default", "1:2"],
      [near, "9:host", "2:2"],
      [director, "1:net", "2:1"],
      [director, "4:net", "3:2"],
      [far, "1:net", "3:1"],
      [real, "default", "4:1"],
    ] as const) {
      await node.run("ip", "route", "add", address4(to), "via", address4(via));
      await node.run("ip", "-6", "route", "add", address6(to), "via", address6(via));
    }
    for (const [family, vip] of Object.entries(VIPS)) {
      const option = `-${family}`;
      await director.run("ip", option, "addr", "add", `${vip}/${family === "4" ? 32 : 128}`, "dev", "lo");
      await real.run("ip", option, "rule", "add", "from", vip, "lookup", "100");
      const back = family === "4" ? address4("5:1") : address6("5:1");
      await real.run("ip", option, "route", "add", "default", "via", back, "table", "100");
    }
    return lab;
  }

  get client(): TestNode {
    return this.#node("client");
  }
  get near(): TestNode {
    return this.#node("near");
  }
  get director(): TestNode {
    return this.#node("director");
  }
  get far(): TestNode {
    return this.#node("far");
  }
  get real(): TestNode {
    return this.#node("real");
  }

  async evenkeel(node: TestNode, ...words: string[]): Promise<string> {
    const program = node.start([EVENKEEL, ...words]);
    const { status } = await program.exited;
    assert.equal(status, 0, `${words.join(" ")}: ${program.output}`);
    return program.output;
  }

  /** One service on port 7 with one server. */
  async serve(protocol: "tcp" | "udp", family: Family, method: "nat" | "dr" | "tun", ...more: string[]): Promise<void> {
    const service = [protocol === "tcp" ? "-t" : "-u", at(VIPS[family], 7)];
    const server = method === "dr" ? NEAR[family] : FAR[family];
    const word = { nat: "-m", dr: "-g", tun: "-i" }[method];
    await this.evenkeel(this.director, "ipvsadm", "-A", ...service, "-s", "rr", ...more);
    const port = method === "nat" ? 7777 : 7;
    await this.evenkeel(this.director, "ipvsadm", "-a", ...service, "-r", at(server, port), word);
    if (method === "dr") {
      await this.real.run("ip", "addr", "add", `${VIPS[family]}/${family === 4 ? 32 : 128}`, "dev", "lo");
    }
    if (method === "tun") {
      await this.evenkeel(this.real, "real", "--vip", VIPS[family], "--mode", "tun", "--no-mss");
    }
  }

  /** What the server has for the client's packets, by this method. */
  serverAt(family: Family, method: "nat" | "dr" | "tun"): { address: IpAddress; port: number } {
    return method === "nat" ? { address: FAR[family], port: 7777 } : { address: VIPS[family], port: 7 };
  }

  node(script: string, on: TestNode): TestProgram {
    return on.start([process.execPath, "-e", script]);
  }

  #node(name: string): TestNode {
    const node = this.#nodes.get(name);
    assert.ok(node);
    return node;
  }

  /** The first has address 1, the second address 2. */
  async #link(a: string, b: string, net: number): Promise<void> {
    await this.#network.link(
      { node: this.#node(a), interface: `to-${b}`, addresses: [`10.${net}.0.1/24`, `fd0${net}::1/64`] },
      { node: this.#node(b), interface: `to-${a}`, addresses: [`10.${net}.0.2/24`, `fd0${net}::2/64`] },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.evenkeel(this.director, "ipvsadm", "-C");
    await this.#network[Symbol.asyncDispose]();
  }
}

/** `4:net`, `9:host`, `3:2`. */
function address4(text: string): string {
  const [net, host] = text.split(":");
  if (host === undefined) return text;
  if (host === "net") return `10.${net}.0.0/24`;
  return `10.${net}.0.${host === "host" ? 1 : host}`;
}

function address6(text: string): string {
  const [net, host] = text.split(":");
  if (host === undefined) return text;
  if (host === "net") return `fd0${net}::/64`;
  return `fd0${net}::${host === "host" ? 1 : host}`;
}
