/**
 * The set-up of examples/haproxy-keepalived with each balancer run either by evenkeel or by Debian's keepalived and haproxy,
 * from the same files; and the ways in which a balancer dies and comes back.
 */

import { fileURLToPath } from "node:url";
import { readTopology } from "../../src/lab/file.ts";
import { Lab } from "../../src/lab/lab.ts";
import type { LabNode } from "../../src/lab/node.ts";
import { CLIENT_VIP, SERVER_VIP } from "../../src/lab/scenarios/haproxy-keepalived.ts";
import type { Traffic } from "../../src/lab/scenarios/observers.ts";
import type { Program } from "../../src/lab/topology.ts";
import type { Peer } from "./peers.ts";
import { until } from "./until.ts";
import type { Brand } from "./vrrp-pair.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/haproxy-keepalived/docker-compose.yml", import.meta.url));

export const DEATHS = ["link down", "clean stop", "kill -9", "freeze"] as const;
export type Death = (typeof DEATHS)[number];

/** The example with each balancer run by what its brand consists of; no port of this machine is taken. */
export async function up(first: Brand, second: Brand): Promise<Lab> {
  const topology = readTopology(EXAMPLE);
  const nodes = topology.nodes.map((node) => {
    const programs =
      node.name === "lb1" ? programsOf(first, "lb1") : node.name === "lb2" ? programsOf(second, "lb2") : node.programs;
    return { ...node, ports: [], programs };
  });
  return Lab.up({ ...topology, nodes }, { name: `${first}-${second}-${process.pid}` });
}

function programsOf(brand: Brand, node: string): readonly Program[] {
  const vrrp = `base/${node}/keepalived.conf`;
  if (brand === "evenkeel") {
    return [{ name: "evenkeel", command: ["evenkeel", "run", "-f", vrrp, "-f", "/tmp/haproxy.cfg"] }];
  }
  return [
    { name: "keepalived", command: peer("keepalived", "-n", "-l", "-D", "-P", "-f", vrrp) },
    { name: "haproxy", command: peer("haproxy", "-db", "-f", "/tmp/haproxy.cfg") },
  ];
}

/** A node may see the project's folder at another place than this process does, so the path is asked for in there. */
const peer = (name: Peer, ...parameters: string[]): Program["command"] => [
  "sh",
  "-c",
  `exec "$("$EVENKEEL_PROJECT/scripts/peer" ${name})" "$@"`,
  name,
  ...parameters,
];

export async function die(node: LabNode, death: Death): Promise<void> {
  if (death === "link down") return node.link("eth0", "down");
  const signal = death === "clean stop" ? "SIGTERM" : death === "kill -9" ? "SIGKILL" : "SIGSTOP";
  for (const { name } of node.spec.programs) await node.signal(name, signal);
}

export async function recover(node: LabNode, death: Death): Promise<void> {
  if (death === "link down") return node.link("eth0", "up");
  for (const { name, command } of node.spec.programs) {
    if (death === "freeze") await node.signal(name, "SIGCONT");
    else {
      await node.process(name).exited;
      await node.spawn(command, { name });
    }
  }
}

export async function held(node: LabNode): Promise<number> {
  const addresses = (await node.links()).flatMap((link) => link.addresses).map((one) => one.split("/")[0]);
  return [CLIENT_VIP, SERVER_VIP].filter((vip) => addresses.includes(vip)).length;
}

export async function ownedBy(owner: LabNode, other: LabNode): Promise<void> {
  await until(
    `${owner.name} alone holds both VIPs`,
    async () => (await held(owner)) === 2 && (await held(other)) === 0,
  );
}

/** Every client's last ten probes have been answered, all of them sent from now on. */
export async function answered(...traffic: readonly Traffic[]): Promise<void> {
  for (const one of traffic) {
    const before = one.records().length;
    await until(`${one.node} is answered`, () => {
      const since = one.records().slice(before);
      return since.length >= 10 && since.slice(-10).every((record) => record.ok);
    });
  }
}
