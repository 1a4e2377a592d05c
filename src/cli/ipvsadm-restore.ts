/**
 * Many command lines of ipvsadm at once: `ipvsadm -R`, and `ipvsadm-restore`, which makes the tables what the lines say
 * without emptying them first: what stays keeps its connections and counters.
 */

import type { Change, Command } from "../config/ipvsadm/command.ts";
import type { OpenedPlane } from "../daemon/plane/open.ts";
import {
  type Plane,
  PlaneError,
  type ServerKey,
  type ServerSettings,
  type ServiceKey,
  type ServiceSettings,
} from "../director/plane.ts";
import { applyChange, type Refusal, settingsOf } from "./ipvsadm-apply.ts";

export type ManyPlane = Plane & Pick<OpenedPlane, "replaceServers" | "exclusively">;

export interface Line {
  /** From 1. */
  readonly number: number;
  readonly words: readonly string[];
}

export interface NumberedChange {
  readonly number: number;
  readonly change: Change;
}

/** Words between blanks; nothing quotes. Lines that say nothing and lines that begin with `#` are left out. */
export function readLines(text: string): Line[] {
  return text.split("\n").flatMap((line, index) => {
    const words = line.split(/\s+/).filter((word) => word !== "");
    while (words[0] === "ipvsadm") words.shift();
    return words[0] === undefined || words[0].startsWith("#") ? [] : [{ number: index + 1, words }];
  });
}

export type Complain = (number: number, refusal: Refusal) => void;

interface Wanted {
  readonly number: number;
  readonly key: ServiceKey;
  readonly settings: ServiceSettings;
  /** Newest first: each is put before those that came earlier, as `-a` does. */
  readonly servers: { readonly number: number; readonly key: ServerKey; readonly settings: ServerSettings }[];
}

/** True when all was done. What is refused is said, and the rest done all the same. */
export function restoreTables(plane: ManyPlane, changes: readonly NumberedChange[], complain: Complain): boolean {
  let good = true;
  const refuse: Complain = (number, refusal) => {
    good = false;
    complain(number, refusal);
  };
  plane.exclusively(() => {
    if (changes.every(({ change }) => describesTables(change))) makeTables(plane, changes, refuse);
    else {
      plane.flush();
      applyAll(plane, changes, refuse);
    }
  });
  return good;
}

export function applyAll(plane: Plane, changes: readonly NumberedChange[], complain: Complain): void {
  for (const { number, change } of changes) {
    const refusal = applyChange(plane, change);
    if (refusal !== undefined) complain(number, refusal);
  }
}

const describesTables = ({ do: what, ...rest }: Command): boolean =>
  what === "set" ||
  ((what === "add-service" || what === "add-server") && !("service" in rest && rest.service?.kind === "sctp"));

function makeTables(plane: ManyPlane, changes: readonly NumberedChange[], complain: Complain): void {
  const wanted = wantedTables(plane, changes, complain);
  for (const { key } of plane.services()) {
    if (!wanted.has(nameOf(key))) plane.deleteService(key);
  }
  for (const one of wanted.values()) {
    attempt(one.number, complain, () => {
      const before = plane.service(one.key);
      if (before === undefined) plane.addService(one.key, one.settings);
      else if (JSON.stringify(before.settings) !== JSON.stringify(one.settings))
        plane.editService(one.key, one.settings);
      putServers(plane, one, complain);
    });
  }
}

function wantedTables(plane: Plane, changes: readonly NumberedChange[], complain: Complain): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const { number, change } of changes) {
    const say = (text: string) => complain(number, { text, detail: undefined });
    if (change.do === "add-service" && change.service.kind !== "sctp") {
      const key = change.service;
      const settings = settingsOf(change.words, plane.service(key)?.settings);
      if (wanted.has(nameOf(key))) say("Service already exists");
      else if (settings === undefined) say("Scheduler or persistence engine not found");
      else wanted.set(nameOf(key), { number, key, settings, servers: [] });
    } else if (change.do === "add-server" && change.service.kind !== "sctp") {
      const { server: key, settings } = change;
      const servers = wanted.get(nameOf(change.service))?.servers;
      if (servers === undefined) say("Service not defined");
      else if (servers.some((one) => nameOf(one.key) === nameOf(key))) say("Destination already exists");
      else servers.unshift({ number, key, settings });
    } else {
      const refusal = applyChange(plane, change);
      if (refusal !== undefined) complain(number, refusal);
    }
  }
  return wanted;
}

/** All in one step. If one of them is refused, that one alone is left out. */
function putServers(plane: ManyPlane, { key, servers }: Wanted, complain: Complain): void {
  try {
    plane.replaceServers(key, servers);
  } catch (error) {
    if (!(error instanceof PlaneError)) throw error;
    plane.replaceServers(key, []);
    for (const one of servers.toReversed()) {
      const change = { do: "add-server", service: key, server: one.key, settings: one.settings } as const;
      const refusal = applyChange(plane, change);
      if (refusal !== undefined) complain(one.number, refusal);
    }
  }
}

function attempt(number: number, complain: Complain, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof PlaneError)) throw error;
    complain(number, { text: error.message, detail: undefined });
  }
}

const nameOf = (key: ServiceKey | ServerKey): string => Object.values(key).join(" ");
