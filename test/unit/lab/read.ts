/** Reads a lab's text with a disk of which only the named paths exist. */

import { join } from "node:path";
import { topologyFromText } from "../../../src/lab/file.ts";
import type { NodeSpec, Topology } from "../../../src/lab/topology.ts";

export interface Reading {
  readonly topology: Topology | undefined;
  /** `LINE severity[code] message`. */
  readonly said: readonly string[];
}

export function read(
  file: string,
  text: string,
  exists: Readonly<Record<string, "file" | "folder">> = {},
  environment: Readonly<Record<string, string>> = {},
): Reading {
  const paths = {
    resolve: (path: string) => join("/labs/first", path),
    kind: (path: string) => exists[path] ?? ("missing" as const),
  };
  const { topology, diagnostics } = topologyFromText(`/labs/first/${file}`, text, paths, environment);
  const said = diagnostics.map(
    ({ span, severity, code, message }) => `${span.source.positionOf(span.start).line} ${severity}[${code}] ${message}`,
  );
  return { topology, said };
}

export function nodeOf(topology: Topology | undefined, name: string): NodeSpec {
  const node = topology?.nodes.find((one) => one.name === name);
  if (node === undefined) throw new Error(`no node ${name}`);
  return node;
}
