/**
 * Published ports: a TCP port of this machine that leads into a node.
 *
 * The listening socket is made out here and inherited by a forwarder that runs in the node, so that connections cross
 * from one network namespace to the other without an address of the machine in the lab.
 */

import { createServer } from "node:net";
import { join } from "node:path";
import { LabError } from "./error.ts";
import type { LabNode } from "./node.ts";
import type { LabProcess } from "./process.ts";
import type { PublishedPort, Topology } from "./topology.ts";

export interface BoundPort {
  readonly node: string;
  readonly published: PublishedPort;
  readonly descriptor: number;
  /** Gives up this process's hold on the socket, not the forwarder's. */
  close(): void;
}

/** All or none: throws `LabError` when a port is taken. */
export async function bindPorts(topology: Topology): Promise<readonly BoundPort[]> {
  const bound: BoundPort[] = [];
  for (const { name, ports } of topology.nodes) {
    for (const published of ports) {
      try {
        bound.push(await bindPort(name, published));
      } catch (error) {
        for (const port of bound) port.close();
        const { code } = error as NodeJS.ErrnoException;
        const place = `${published.hostAddress}:${published.hostPort}`;
        const why = code === "EADDRINUSE" ? "is taken by another program" : `cannot be listened on (${code})`;
        throw new LabError(`port ${place} of this machine, published for node ${name}, ${why}`);
      }
    }
  }
  return bound;
}

function bindPort(node: string, published: PublishedPort): Promise<BoundPort> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(published.hostPort, published.hostAddress, () => {
      const handle = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
      // Whoever connects before the forwarder is there is told to try again.
      server.on("connection", (socket) => socket.destroy());
      resolve({ node, published, descriptor: handle.fd, close: () => server.close() });
    });
  });
}

export async function forwardPort(node: LabNode, port: BoundPort): Promise<LabProcess> {
  const target = node.spec.interfaces.flatMap((one) => one.addresses)[0]?.address ?? "127.0.0.1";
  const script = join(node.projectFolder, "src/lab/forward-main.ts");
  const forwarder = await node.spawn(
    ["node", "--max-semi-space-size=1", script, target, String(port.published.nodePort)],
    {
      name: `port-${port.published.hostPort}`,
      descriptors: [port.descriptor],
    },
  );
  port.close();
  return forwarder;
}
