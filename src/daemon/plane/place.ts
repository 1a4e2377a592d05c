/**
 * Where the data plane of this network namespace is kept: folders of our own bpffs, and files beside it.
 *
 *     RUN/bpf/COOKIE/director/LAYOUT/maps/NAME          one folder for each layout of the maps
 *     RUN/bpf/COOKIE/director/LAYOUT/OBJECT/PROGRAM     the programs that are attached, by a hash of the object
 *     RUN/bpf/COOKIE/director/links/DIRECTION+INTERFACE whatever the layout, so that an upgrade finds them
 *     RUN/plane-COOKIE.lock, .daemon, .layout-LAYOUT    lock; who holds it; what a layout looks like, for who comes after
 *     RUN/plane-COOKIE.timeouts                         those that were set, while nothing is pinned
 *
 * RUN is $EVENKEEL_RUN or /run/evenkeel; COOKIE is the kernel's number of the namespace.
 */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { networkNamespaceCookie } from "../../sys/namespaces.ts";
import type { Btf } from "../../wire/btf.ts";

const OBJECT = fileURLToPath(new URL("../../../build/director.bpf.o", import.meta.url));

export interface PlanePlace {
  readonly object: string;
  /** Where our bpffs belongs. */
  readonly mountPoint: string;
  readonly cookie: string;
  readonly lock: string;
  /** Locked by the daemon as long as it has the plane; holds its process number. */
  readonly daemon: string;
  /** Time-outs while nothing is pinned. */
  readonly timeouts: string;
  layoutFile(layout: string): string;
}

/** @param directory of the bpffs, where it is not the usual one */
export function planePlace(directory?: string, object = OBJECT): PlanePlace {
  const run = process.env.EVENKEEL_RUN ?? "/run/evenkeel";
  const mountPoint = directory ?? join(run, "bpf");
  return placeOf({ object, mountPoint }, String(networkNamespaceCookie()));
}

/** That of another network namespace. */
export function placeOf({ object, mountPoint }: Pick<PlanePlace, "object" | "mountPoint">, cookie: string): PlanePlace {
  const beside = join(mountPoint, "..", `plane-${cookie}`);
  return {
    object,
    mountPoint,
    cookie,
    lock: `${beside}.lock`,
    daemon: `${beside}.daemon`,
    timeouts: `${beside}.timeouts`,
    layoutFile: (layout) => `${beside}.layout-${layout}`,
  };
}

/** What else lies beside the layouts (attachments.ts, mark-rules.ts). */
const NO_LAYOUTS: ReadonlySet<string> = new Set(["links", "marks", "marks6"]);

/** Pins within a bpffs that is there. */
export class Pins {
  readonly bpffs: string;
  readonly root: string;

  constructor(bpffs: string, cookie: string) {
    this.bpffs = bpffs;
    this.root = join(bpffs, cookie, "director");
  }

  maps(layout: string): string {
    return join(this.root, layout, "maps");
  }

  programs(layout: string, object: string): string {
    return join(this.root, layout, object);
  }

  get links(): string {
    return join(this.root, "links");
  }

  /** Layouts that have something pinned. */
  layouts(): readonly string[] {
    return namesIn(this.root).filter((name) => !NO_LAYOUTS.has(name));
  }

  /** Objects whose programs are pinned. */
  objects(layout: string): readonly string[] {
    return namesIn(join(this.root, layout)).filter((name) => name !== "maps");
  }
}

export const namesIn = (folder: string): readonly string[] => (existsSync(folder) ? readdirSync(folder) : []);

/** With everything in it. A bpffs knows no recursive removal. */
export function removeFolder(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) removeFolder(path);
    else unlinkSync(path);
  }
  rmdirSync(folder);
}

/** Pins and what describes them; programs that are attached by a link leave with it. */
export function removePlane(place: PlanePlace, pins: Pins): void {
  for (const layout of pins.layouts()) rmSync(place.layoutFile(layout), { force: true });
  removeFolder(pins.root);
  try {
    rmdirSync(dirname(pins.root));
  } catch {
    // `evenkeel real` has pins there too.
  }
}

/** Names of what maps and programs of a compiled object are. No dots, as bpffs wants it. */
export interface ObjectVersion {
  /** Of the maps: what has the same one can go on with them. */
  readonly layout: string;
  readonly object: string;
}

export function objectVersion(file: string, types: Btf): ObjectVersion {
  const maps = [...types.maps]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { maxEntries: _, ...rest }]) => [name, rest]);
  return { layout: digest(JSON.stringify(maps)), object: digest(readFileSync(file)) };
}

const digest = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex").slice(0, 16);
