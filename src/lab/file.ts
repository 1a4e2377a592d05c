/** Reads a lab's file from disk, tells which of the two formats it is, and gives the topology and all diagnostics. */

import { readFileSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { type Diagnostic, Diagnostics } from "../config/text/diagnostic.ts";
import { renderDiagnostic } from "../config/text/render.ts";
import { buildTopology, type Paths } from "./build.ts";
import { readComposeFile } from "./compose-file.ts";
import type { Draft } from "./draft.ts";
import { LabError } from "./error.ts";
import { interpolate } from "./interpolate.ts";
import { readLabFile } from "./lab-file.ts";
import type { Topology } from "./topology.ts";
import { readYaml } from "./yaml-tree.ts";

export interface TopologyReading {
  /** Undefined when there are errors. */
  readonly topology?: Topology;
  readonly diagnostics: readonly Diagnostic[];
}

/** Throws `LabError` with the errors in its `details`. Warnings are left to `loadTopology`. */
export function readTopology(file: string): Topology {
  const { topology, diagnostics } = loadTopology(file);
  if (topology !== undefined) return topology;
  const errors = diagnostics.filter((one) => one.severity === "error");
  const count = errors.length === 1 ? "a mistake" : `${errors.length} mistakes`;
  throw new LabError(`${file} has ${count}`, errors.map((one) => renderDiagnostic(one, { colour: false })).join(""));
}

/** Throws `LabError` only when the file cannot be read. */
export function loadTopology(file: string): TopologyReading {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new LabError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  return topologyFromText(file, text, diskPaths(dirname(resolve(file))), process.env);
}

/** `file` gives the name and the folder of the lab; nothing is read from disk but what `paths` answers. */
export function topologyFromText(
  file: string,
  text: string,
  paths: Paths,
  environment: Readonly<Record<string, string | undefined>>,
): TopologyReading {
  const diagnostics = new Diagnostics();
  const compose = /^services\s*:/m.test(text);
  const top = readYaml(file, text, diagnostics, compose ? (scalar) => interpolate(scalar, environment) : undefined);
  if (top === undefined) return { diagnostics: diagnostics.list };
  const folder = dirname(resolve(file));
  const draft: Draft = compose
    ? readComposeFile(top, labNameFrom(basename(folder)), diagnostics)
    : readLabFile(top, labNameFrom(basename(file).replace(/(\.lab)?\.ya?ml$/, "")), diagnostics);
  const topology = buildTopology(draft, folder, paths, diagnostics);
  const failed = diagnostics.list.some((one) => one.severity === "error");
  return failed ? { diagnostics: diagnostics.list } : { topology, diagnostics: diagnostics.list };
}

/** As docker makes a project's name of a folder's. */
function labNameFrom(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 32);
  return name || "lab";
}

function diskPaths(folder: string): Paths {
  return {
    resolve: (path) => resolve(folder, path),
    kind: (path) => {
      try {
        return statSync(path).isDirectory() ? "folder" : "file";
      } catch {
        return "missing";
      }
    },
  };
}
