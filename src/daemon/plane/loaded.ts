/**
 * Maps and programs of the data plane, as they are pinned or freshly loaded: what is there is adopted, so that flows, counts
 * and configuration go on with a new program or a new process (l4.md §4 rows 16 to 18).
 */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { release, totalmem } from "node:os";
import { join } from "node:path";
import type { MapName, MapSet } from "../../director/map-set.ts";
import type { TablesPort } from "../../director/store.ts";
import { Tables } from "../../director/tables.ts";
import { type BpfObject, loadObject, readObjectTypes } from "../../sys/bpf.ts";
import { type BpfMap, openPinnedMap } from "../../sys/bpf-map.ts";
import { closeProgram, openPinnedProgram, pinProgram } from "../../sys/bpf-pins.ts";
import { probeBpf } from "../../sys/bpf-probe.ts";
import { testRun } from "../../sys/bpf-test-run.ts";
import type { Btf } from "../../wire/btf.ts";
import { defaultCapacity } from "./capacity.ts";
import { sweep } from "./leftovers.ts";
import { PlaneUnavailable } from "./opened-plane.ts";
import { type ObjectVersion, objectVersion, type Pins, type PlanePlace, removeFolder } from "./place.ts";

/** What is pinned: `ingress` and `egress` are attached to interfaces, `revive` is run by us. */
export type EntryName = "ingress" | "egress" | "revive";
const ENTRIES: readonly EntryName[] = ["ingress", "egress", "revive"];
/** The least that the kernel takes for a packet; nobody looks at it. */
const NO_PACKET = new Uint8Array(64);

export interface LoadedPlane {
  readonly set: MapSet;
  readonly programs: Readonly<Record<EntryName, number>>;
  /** Interfaces have to be given these programs anew; then `revive` is called. */
  readonly renewed: boolean;
  /** Timers of connections and rates go on with these programs, whatever had set them. */
  revive(): void;
  close(): void;
}

export interface LoadRequest {
  readonly place: PlanePlace;
  readonly pins: Pins;
  readonly capacity: number | undefined;
  readonly say: (text: string) => void;
  /** For a plane of another layout, whose services are copied. */
  readonly port: TablesPort;
  /** No daemon works with that one. */
  mayReplace(): boolean;
}

/** Under the lock. @throws BpfLoadError, SystemError */
export function loadPlane(request: LoadRequest): LoadedPlane {
  const { place, pins } = request;
  const types = readObjectTypes(place.object);
  const version = objectVersion(place.object, types);
  const programs = pins.programs(version.layout, version.object);
  if (existsSync(programs)) return adopt(pins.maps(version.layout), programs, types, false);
  const others = pins.layouts().filter((layout) => layout !== version.layout);
  if (others.length > 0 && !request.mayReplace()) {
    throw new PlaneUnavailable("held", "an evenkeel of another version runs here; restart it with this version first");
  }
  const adopted = existsSync(pins.maps(version.layout));
  sweep(place, pins.bpffs, request.say);
  load(request, types, version);
  const loaded = adopt(pins.maps(version.layout), programs, types, true);
  for (const object of pins.objects(version.layout)) {
    if (object !== version.object) removeFolder(pins.programs(version.layout, object));
  }
  if (adopted) request.say("the data plane has been upgraded; its connections go on");
  for (const layout of others) replaceLayout(request, layout, loaded);
  return loaded;
}

function load({ place, pins, capacity }: LoadRequest, types: Btf, version: ObjectVersion): void {
  const cpus = possibleProcessors();
  const entries = (name: MapName) => types.maps.get(name)?.maxEntries ?? 0;
  const connections = capacity ?? defaultCapacity(totalmem());
  const folder = pins.maps(version.layout);
  mkdirSync(folder, { recursive: true });
  const object = loadObject({
    file: place.object,
    constants: {
      cpus,
      have_bpf_loop: probeBpf().some(({ name, present }) => name === "loop" && present),
      have_route_source: isLinux(6, 7),
    },
    mapSizes: {
      counters: entries("servers") * cpus,
      connections4: connections,
      connections6: connections,
      replies4: connections,
      replies6: connections,
      // Each has one; for a moment two.
      tokens4: 2 * connections,
      tokens6: 2 * connections,
    },
    pinned: folder,
  });
  try {
    pinPrograms(object, pins, version);
  } finally {
    object.close();
  }
  writeFileSync(place.layoutFile(version.layout), writeTypes(types), { mode: 0o600 });
}

/** Whole or not at all: without a folder of the object's name the next one loads again. */
function pinPrograms(object: BpfObject, pins: Pins, version: ObjectVersion): void {
  const unfinished = pins.programs(version.layout, "unfinished");
  removeFolder(unfinished);
  mkdirSync(unfinished);
  for (const name of ENTRIES) pinProgram(object.program(name), join(unfinished, name));
  renameSync(unfinished, pins.programs(version.layout, version.object));
}

function adopt(maps: string, programs: string, types: Btf, renewed: boolean): LoadedPlane {
  const set = openMaps(maps, types);
  const opened: number[] = [];
  try {
    for (const name of ENTRIES) opened.push(openPinnedProgram(join(programs, name)));
  } catch (error) {
    set.close();
    for (const program of opened) closeProgram(program);
    throw error;
  }
  const [ingress = -1, egress = -1, revive = -1] = opened;
  return {
    set,
    programs: { ingress, egress, revive },
    renewed,
    revive() {
      testRun(revive, { packet: NO_PACKET });
    },
    close() {
      set.close();
      for (const program of opened) closeProgram(program);
    },
  };
}

function openMaps(folder: string, types: Btf): MapSet & { close(): void } {
  const maps = new Map<string, BpfMap>();
  const close = () => {
    for (const map of maps.values()) map.close();
  };
  try {
    for (const name of types.maps.keys()) maps.set(name, openPinnedMap(join(folder, name)));
  } catch (error) {
    close();
    throw error;
  }
  const set = Object.fromEntries(maps) as unknown as Record<MapName, BpfMap>;
  const cpus = Math.max(1, Math.round(set.counters.information.maxEntries / set.servers.information.maxEntries));
  return { maps: set, btf: types, cpus, close };
}

/** Another version's maps: services, servers and time-outs are copied, connections cannot be. Then they are removed. */
function replaceLayout({ place, pins, port, say }: LoadRequest, layout: string, to: LoadedPlane): void {
  const file = place.layoutFile(layout);
  try {
    const old = openMaps(pins.maps(layout), readTypes(readFileSync(file, "utf8")));
    try {
      const copied = copyServices(new Tables(old, port), new Tables(to.set, port));
      say(`the data plane of another version has been replaced: ${copied} services were copied, its connections end`);
    } finally {
      old.close();
    }
  } catch (error) {
    say(
      `what another version left could not be read and is removed: ${error instanceof Error ? error.message : error}`,
    );
  }
  removeFolder(join(pins.root, layout));
  rmSync(file, { force: true });
}

function copyServices(from: Tables, to: Tables): number {
  to.setTimeouts(from.timeouts());
  const services = from.services();
  for (const { key, settings, servers } of services) {
    to.addService(key, settings);
    to.replaceServers(key, servers);
  }
  return services.length;
}

const writeTypes = (types: Btf): string =>
  JSON.stringify({ structs: [...types.structs], values: [...types.values], maps: [...types.maps] });

function readTypes(text: string): Btf {
  const { structs, values, maps } = JSON.parse(text) as Record<"structs" | "values" | "maps", [string, never][]>;
  return { structs: new Map(structs), values: new Map(values), maps: new Map(maps), variables: new Map() };
}

/** The kernel lays out per-processor values for all that it may ever have. */
function possibleProcessors(): number {
  const last = /(\d+)\s*$/.exec(readFileSync("/sys/devices/system/cpu/possible", "utf8"))?.[1];
  return last === undefined ? 1 : Number(last) + 1;
}

function isLinux(major: number, minor: number): boolean {
  const [a = 0, b = 0] = release().split(".").map(Number);
  return a > major || (a === major && b >= minor);
}
