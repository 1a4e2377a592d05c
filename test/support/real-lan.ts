/** A LAN with a client, a balancer that has the VIP on eth0, and a real server: namespaces with packet sockets. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { IpAddress, Ipv4Address } from "../../src/base/ip.ts";
import type { MacAddress } from "../../src/base/mac.ts";
import { readInterfaces } from "../../src/sys/interfaces.ts";
import { type Frame, openPacketSocket, type PacketSocket } from "../../src/sys/packet-socket.ts";
import { TestNetwork, type TestNode } from "./namespace.ts";

const evenkeel = fileURLToPath(new URL("../../bin/evenkeel", import.meta.url));
export const VIP = "10.0.0.100" as Ipv4Address;
export const VIP6 = "fd00::100" as IpAddress;
export const CLIENT = "10.0.0.10" as Ipv4Address;
export const CLIENT6 = "fd00::10" as IpAddress;
export const BALANCER = "10.0.0.20" as Ipv4Address;
export const BALANCER6 = "fd00::20" as IpAddress;
export const REAL = "10.0.0.30" as Ipv4Address;
export const REAL6 = "fd00::30" as IpAddress;
const ETH_P_ALL = 3;

/** A node with a socket on its eth0 that sends frames and keeps what it sees. */
export class Host implements Disposable {
  readonly node: TestNode;
  readonly mac: MacAddress;
  readonly seen: Frame[] = [];
  readonly #index: number;
  readonly #socket: PacketSocket;

  constructor(node: TestNode) {
    this.node = node;
    const eth0 = node.within(() =>
      readInterfaces()
        .values()
        .find(({ name }) => name === "eth0"),
    );
    assert.ok(eth0?.mac);
    this.mac = eth0.mac;
    this.#index = eth0.index;
    this.#socket = node.within(() =>
      openPacketSocket({
        interfaceIndex: eth0.index,
        protocol: ETH_P_ALL,
        onFrames: (frames) => this.seen.push(...frames.filter(({ outgoing }) => !outgoing)),
        onError: (error) => assert.fail(error),
      }),
    );
  }

  send(frame: Uint8Array): void {
    this.#socket.send(frame, this.#index);
  }

  evenkeel(...words: string[]) {
    return run(this.node, ...words);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** Standard output and error together, and the exit status. */
async function run(node: TestNode, ...words: string[]): Promise<{ status: number | null; output: string }> {
  const program = node.start([evenkeel, ...words]);
  const { status } = await program.exited;
  return { status, output: program.output };
}

export interface Lan extends AsyncDisposable {
  readonly client: Host;
  readonly balancer: Host;
  readonly real: Host;
}

export async function lan(): Promise<Lan> {
  const network = new TestNetwork();
  const [client, balancer, real] = await Promise.all(["client", "balancer", "real"].map((name) => network.node(name)));
  assert.ok(client && balancer && real);
  for (const node of [client, balancer, real]) {
    // Else a second passes until a link-local address may ask for neighbours.
    await node.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits");
  }
  const ports = [
    { node: client, addresses: [`${CLIENT}/24`] },
    { node: balancer, addresses: [`${BALANCER}/24`, `${VIP}/32`] },
    { node: real, addresses: [`${REAL}/24`] },
  ];
  await network.segment(
    "lan",
    ports.map((port) => ({ ...port, interface: "eth0" })),
  );
  for (const [node, address] of [
    [client, CLIENT6],
    [balancer, BALANCER6],
    [real, REAL6],
  ] as const) {
    await node.run("ip", "addr", "add", `${address}/64`, "dev", "eth0", "nodad");
  }
  const hosts = { client: new Host(client), balancer: new Host(balancer), real: new Host(real) };
  return {
    ...hosts,
    async [Symbol.asyncDispose]() {
      for (const host of Object.values(hosts)) host[Symbol.dispose]();
      await network[Symbol.asyncDispose]();
    },
  };
}
