/** What the layer-4 scenarios ask of a lab: requests one after the other, and what ipvsadm lists. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readTopology } from "../../src/lab/file.ts";
import { Lab } from "../../src/lab/lab.ts";
import type { LabNode } from "../../src/lab/node.ts";
import { peerPath } from "./peers.ts";

/** Brings up `examples/NAME/NAME.lab.yml` under a name of this process's own. */
export async function exampleLab(name: string): Promise<Lab> {
  const file = fileURLToPath(new URL(`../../examples/${name}/${name}.lab.yml`, import.meta.url));
  peerPath("nginx");
  return Lab.up(readTopology(file), { name: `${name}-${process.pid}` });
}

/** The pages of `count` requests, a connection each, in order; a request without an answer within 2 s is `""`. */
export async function pages(client: LabNode, url: string, count: number): Promise<readonly string[]> {
  const script = `for i in $(seq ${count}); do "$0" -s -m 2 ${url} || echo; done`;
  const { stdout } = await client.exec(["sh", "-c", script, peerPath("curl")], { timeoutMs: 120_000 });
  const lines = stdout.split("\n").slice(0, -1);
  assert.equal(lines.length, count);
  return lines;
}

/** How often each page came: `{ rs1: 25, rs2: 25 }`. */
export function tally(lines: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of lines) counts[line] = (counts[line] ?? 0) + 1;
  return counts;
}

export async function ipvsadm(node: LabNode, ...words: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await node.exec(["evenkeel", "ipvsadm", ...words]);
  assert.equal(status, 0, stderr);
  return stdout;
}

/** The rows of servers of `ipvsadm -Ln`, white space made one: `172.28.128.110:80 Route 1 0 25`. */
export async function serverRows(node: LabNode): Promise<readonly string[]> {
  const listing = await ipvsadm(node, "-Ln");
  const rows = listing.split("\n").filter((line) => /^ {2}-> \d/.test(line));
  return rows.map((line) => line.replace("->", "").trim().replaceAll(/\s+/g, " ")).sort();
}

export async function holds(node: LabNode, address: string): Promise<boolean> {
  const links = await node.links();
  return links.some((link) => link.addresses.some((one) => one.startsWith(`${address}/`)));
}
