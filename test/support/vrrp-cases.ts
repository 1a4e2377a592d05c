/**
 * Reads the cases of test/conformance/vrrp/*.md; see that folder's README.md for their form. Who runs them is another
 * matter: `vrrp-case-run.ts` does on the simulated LAN.
 */

import { readdirSync, readFileSync } from "node:fs";

/** What is done to the router, `*` in a timeline. */
export type Deed =
  | { readonly type: "start" | "stop" | "reload" | "freeze" | "thaw" }
  | { readonly type: "link"; readonly interface: string; readonly up: boolean }
  /** Somebody else removes a virtual address. */
  | { readonly type: "takes"; readonly address: string }
  /** Its answer, or that it needs so many milliseconds for it, or gives none. */
  | { readonly type: "script"; readonly name: string; readonly does: ScriptConduct }
  | { readonly type: "file"; readonly name: string; readonly value: number }
  | { readonly type: "process"; readonly name: string; readonly count: number }
  | { readonly type: "proxy" | "service"; readonly name: string; readonly up: boolean }
  /** An address of the router itself, as README.md has them. */
  | { readonly type: "own"; readonly address: string; readonly present: boolean }
  /** Somebody else removes a virtual route, `destination` as in the kernel's table. */
  | { readonly type: "route"; readonly destination: string };

export type ScriptConduct =
  | { readonly type: "exits"; readonly status: number }
  | { readonly type: "takes"; readonly milliseconds: number }
  | { readonly type: "hangs" };

/** `<`: an advert from a neighbour that is configured as the router is, but for `changes`. */
export interface Stimulus {
  readonly priority: number;
  readonly from: string;
  /** `vrid=7`, `ttl=64` …; README.md has them all. */
  readonly changes: ReadonlyMap<string, string>;
}

export type Happening =
  | { readonly at: number; readonly kind: "deed"; readonly deed: Deed }
  | { readonly at: number; readonly kind: "advert"; readonly advert: Stimulus };

export interface Expected {
  /** Milliseconds since the start. */
  readonly at: number;
  /** As README.md has it: `MASTER`, `advert 100`, `holds 10.9.0.50` … */
  readonly what: string;
}

export interface Case {
  readonly file: string;
  readonly title: string;
  /** Why no real router can be asked it. */
  readonly simulatedOnly: string | undefined;
  /** Why keepalived 2.2.7 does otherwise. */
  readonly keepalived: string | undefined;
  /** keepalived.conf, and what it is after a reload. */
  readonly configuration: string;
  readonly reloaded: string | undefined;
  readonly happenings: readonly Happening[];
  readonly expected: readonly Expected[];
  /** Milliseconds: so long it is watched. */
  readonly end: number;
}

export function readCases(folder: URL): Case[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".md") && name !== "README.md")
    .sort()
    .flatMap((name) => casesOf(name, readFileSync(new URL(name, folder), "utf8")));
}

export function casesOf(file: string, text: string): Case[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const title = part.slice(0, part.indexOf("\n"));
      const blocks = [...part.matchAll(/^```(keepalived|timeline)\n([\s\S]*?)^```$/gm)];
      const [configuration, reloaded] = blocks.filter(([, kind]) => kind === "keepalived").map(([, , body]) => body);
      const timelines = blocks.filter(([, kind]) => kind === "timeline");
      const timeline = timelines[0]?.[2];
      if (configuration === undefined || timeline === undefined || timelines.length > 1)
        throw new Error(`${file}: “${title}” is no case`);
      try {
        const remarks = remarksOf(part.slice(0, part.indexOf("```")));
        return { file, title, ...remarks, configuration, reloaded, ...readTimeline(timeline) };
      } catch (error) {
        throw new Error(`${file}: “${title}”: ${(error as Error).message}`);
      }
    });
}

function remarksOf(text: string): Pick<Case, "simulatedOnly" | "keepalived"> {
  const remarks = new Map([...text.matchAll(/^- (.*?): (.*)$/gm)].map(([, what = "", reason]) => [what, reason]));
  for (const what of remarks.keys())
    if (what !== "simulated only" && what !== "keepalived 2.2.7") throw new Error(`no such remark: “${what}”`);
  return { simulatedOnly: remarks.get("simulated only"), keepalived: remarks.get("keepalived 2.2.7") };
}

function readTimeline(text: string): Pick<Case, "happenings" | "expected" | "end"> {
  const happenings: Happening[] = [];
  const expected: Expected[] = [];
  let at = 0;
  let end: number | undefined;
  for (const line of text.split("\n").filter((each) => each.trim() !== "")) {
    const [, time, mark, words = ""] = /^(\d+(?:\.\d{1,3})?)?\s+(end|[<>*])\s*(.*)$/.exec(line) ?? [];
    if (mark === undefined) throw new Error(`cannot read “${line}”`);
    if (time !== undefined) {
      const next = milliseconds(time);
      if (next < at) throw new Error(`“${line}” goes back in time`);
      at = next;
    }
    if (mark === "end") end = at;
    else if (mark === "*") happenings.push({ at, kind: "deed", deed: deedOf(words) });
    else if (mark === "<") happenings.push({ at, kind: "advert", advert: advertOf(words) });
    else expected.push(...repeated(at, words));
  }
  if (end === undefined) throw new Error("no end");
  expected.sort((a, b) => a.at - b.at);
  return { happenings, expected, end };
}

/** `advert 100 every 1 until 8.609` is many; the last one is at 8.609 at the latest. */
function repeated(at: number, words: string): Expected[] {
  const [, what = "", every, until] = /^(.*) every ([\d.]+) until ([\d.]+)$/.exec(words) ?? [];
  if (every === undefined || until === undefined) return [{ at, what: words }];
  const [step, last] = [milliseconds(every), milliseconds(until)];
  if (step === 0) throw new Error(`cannot read “${words}”`);
  return Array.from({ length: Math.floor((last - at) / step) + 1 }, (_, n) => ({ at: at + n * step, what }));
}

const milliseconds = (seconds: string): number => Math.round(Number(seconds) * 1_000);

function deedOf(words: string): Deed {
  const [type, first = "", second, third = ""] = words.split(/\s+/);
  switch (type) {
    case "start":
    case "stop":
    case "reload":
    case "freeze":
    case "thaw":
      return { type };
    case "link":
      if (second !== "up" && second !== "down") break;
      return { type, interface: first, up: second === "up" };
    case "takes":
      return { type, address: first };
    case "script": {
      const does = conductOf(second, third);
      if (does === undefined) break;
      return { type, name: first, does };
    }
    case "file":
      if (second !== "holds" || !/^-?\d+$/.test(third)) break;
      return { type, name: first, value: Number(third) };
    case "process":
      if (second !== "runs" || !/^\d+$/.test(third)) break;
      return { type, name: first, count: Number(third) };
    case "proxy":
    case "service":
      if (second !== "up" && second !== "down") break;
      return { type, name: first, up: second === "up" };
    case "own":
      if (second !== "goes" && second !== "comes") break;
      return { type, address: first, present: second === "comes" };
    case "route":
      if (second !== "goes") break;
      return { type, destination: first };
  }
  throw new Error(`nothing that can be done: “${words}”`);
}

function conductOf(verb: string | undefined, how: string): ScriptConduct | undefined {
  if (verb === "hangs") return { type: "hangs" };
  if (verb === "takes" && /^[\d.]+$/.test(how)) return { type: "takes", milliseconds: milliseconds(how) };
  if (verb === "exits" && /^\d+$/.test(how)) return { type: "exits", status: Number(how) };
  return undefined;
}

function advertOf(words: string): Stimulus {
  const [, priority, from = "", more = ""] = /^advert (\d+) from (\S+)(.*)$/.exec(words) ?? [];
  if (priority === undefined) throw new Error(`no advert: “${words}”`);
  const pairs = more.trim() === "" ? [] : more.trim().split(/\s+/);
  const changes = new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
  return { priority: Number(priority), from, changes };
}
