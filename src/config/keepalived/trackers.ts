/**
 * Lines of `track_interface`, `track_script`, `track_file`, `track_process`: `NAME [weight N [reverse|noreverse]]`, and of
 * evenkeel's own `track_proxy` and `track_service`.
 */

import { parseIp } from "../../base/ip.ts";
import type { TrackedProcess, Tracker, Trackers, TrackInterface, TrackScript, VrrpScript } from "../model/vrrp.ts";
import { serviceName } from "./lvs-words.ts";
import { quote, type Report } from "./report.ts";
import type { KnownTrackFiles } from "./track-file.ts";
import type { Statement, Word } from "./tree.ts";
import { integer, interfaceName } from "./values.ts";
import type { Handlers } from "./walk.ts";

/** What is usable when a tracker names it, and the names that are defined only further below. */
export interface KnownTracked {
  readonly scripts: ReadonlyMap<string, VrrpScript>;
  readonly files: KnownTrackFiles;
  readonly processes: ReadonlyMap<string, TrackedProcess>;
  readonly below: {
    readonly scripts: ReadonlySet<string>;
    readonly files: ReadonlySet<string>;
    readonly processes: ReadonlySet<string>;
  };
}

/** A name of something that other files or blocks define, to be looked up when all is read. */
export interface Reference {
  readonly name: string;
  readonly at: Word;
}

export type TrackersDraft = { -readonly [K in keyof Trackers]: Trackers[K][number][] } & {
  readonly proxyNames: Reference[];
  readonly serviceNames: Reference[];
};

export const noTrackers = (): TrackersDraft => ({
  ...{ trackInterfaces: [], trackScripts: [], trackFiles: [], trackProcesses: [], trackProxies: [], trackServices: [] },
  ...{ proxyNames: [], serviceNames: [] },
});

interface Setting {
  readonly weight: number | undefined;
  readonly reverse: boolean | undefined;
}

const GREATEST_WEIGHT = 253;
/** Of one kind in one instance or group; more would only cost time. */
const MOST_TRACKERS = 1_024;
/** Of a file or process, whose weight may mean FAULT. */
const GREATEST_FAULT_WEIGHT = 254;

/** `owner`: the instance or group, for messages. */
export function trackerHandlers(draft: TrackersDraft, owner: string, known: KnownTracked, report: Report): Handlers {
  const { scripts, files, processes, below } = known;
  return {
    track_interface: ({ block }) => readTrackInterfaces(block ?? [], owner, draft.trackInterfaces, report),
    track_script: ({ block }) => {
      for (const line of block ?? []) readTrackScript(line, owner, scripts, below.scripts, draft.trackScripts, report);
    },
    track_file: ({ block }) => {
      for (const line of block ?? []) {
        const find = (name: string) => files.forVrrp(name);
        const of = { kind: "track file", block: "track_file", below: below.files, find, codes: FILE_CODES };
        readTracked(line, owner, of, draft.trackFiles, report);
      }
    },
    track_process: ({ block }) => {
      for (const line of block ?? []) {
        const find = (name: string) => processes.get(name);
        const of = {
          kind: "track process",
          block: "vrrp_track_process",
          below: below.processes,
          find,
          codes: PROCESS_CODES,
        };
        readTracked(line, owner, of, draft.trackProcesses, report);
      }
    },
    track_proxy: ({ block }) => {
      for (const line of block ?? []) {
        const added = readReference(
          line,
          line.keyword.text,
          line.words,
          owner,
          "track_proxy",
          draft.trackProxies,
          report,
        );
        if (added) draft.proxyNames.push({ name: line.keyword.text, at: line.keyword });
      }
    },
    track_service: ({ block }) => {
      for (const line of block ?? []) readTrackService(line, owner, draft, report);
    },
  };
}

function readTrackInterfaces(lines: readonly Statement[], owner: string, into: TrackInterface[], report: Report): void {
  for (const line of lines) {
    const name = interfaceName(line.keyword, report);
    if (name === undefined) continue;
    if (isTaken(into, (one) => one.interface === name)) {
      reportDuplicate(line.keyword, owner, "track_interface", into, report);
      continue;
    }
    const setting = readSetting(line.words, owner, GREATEST_FAULT_WEIGHT, report);
    if (setting === undefined) continue;
    const { weight = 0, reverse = false } = setting;
    const fitting = Math.max(-GREATEST_WEIGHT, Math.min(GREATEST_WEIGHT, weight));
    if (fitting !== weight) {
      const message = `(${owner}) weight for ${name} cannot be +/-254. Setting to +/-253`;
      report.warning("keepalived/out-of-range", line.keyword, message, "Give -253 to 253");
    }
    into.push({ interface: name, weight: fitting, reverse });
  }
}

/** keepalived ignores a script that is defined only further below. */
function readTrackScript(
  line: Statement,
  owner: string,
  scripts: ReadonlyMap<string, VrrpScript>,
  below: ReadonlySet<string>,
  into: TrackScript[],
  report: Report,
): void {
  const name = line.keyword;
  const script = scripts.get(name.text);
  if (script === undefined) {
    reportUnknown(name, owner, { kind: "track script", block: "vrrp_script", below, codes: SCRIPT_CODES }, report);
    return;
  }
  if (isTaken(into, (one) => one.script === name.text)) {
    reportDuplicate(name, owner, "track_script", into, report);
    return;
  }
  const setting = readSetting(line.words, owner, GREATEST_WEIGHT, report);
  if (setting === undefined) return;
  const { weight = script.weight, reverse = script.reverse } = setting;
  into.push({ script: name.text, weight, reverse });
}

const SCRIPT_CODES = { below: "keepalived/script-defined-below", unknown: "keepalived/unknown-script" };
const FILE_CODES = { below: "keepalived/defined-below", unknown: "keepalived/unknown-track-file" };
const PROCESS_CODES = { below: "keepalived/defined-below", unknown: "keepalived/unknown-track-process" };

interface Kind {
  readonly codes: { readonly below: string; readonly unknown: string };
  readonly kind: string;
  /** The keyword that defines it. */
  readonly block: string;
  readonly below: ReadonlySet<string>;
}

function readTracked(
  line: Statement,
  owner: string,
  of: Kind & { readonly find: (name: string) => { readonly weight: number; readonly reverse: boolean } | undefined },
  into: Tracker[],
  report: Report,
): void {
  const name = line.keyword;
  const tracked = of.find(name.text);
  if (tracked === undefined) {
    reportUnknown(name, owner, of, report);
    return;
  }
  if (isTaken(into, (one) => one.name === name.text)) {
    reportDuplicate(name, owner, of.kind.replace(" ", "_"), into, report);
    return;
  }
  const setting = readSetting(line.words, owner, GREATEST_FAULT_WEIGHT, report);
  if (setting === undefined) return;
  const { weight = tracked.weight, reverse = tracked.reverse } = setting;
  into.push({ name: name.text, weight, reverse });
}

/** True when it is a tracker now. */
function readReference(
  line: Statement,
  name: string,
  words: readonly Word[],
  owner: string,
  kind: string,
  into: Tracker[],
  report: Report,
): boolean {
  if (isTaken(into, (one) => one.name === name)) {
    reportDuplicate(line.keyword, owner, kind, into, report);
    return false;
  }
  const setting = readSetting(words, owner, GREATEST_WEIGHT, report);
  if (setting === undefined) return false;
  into.push({ name, weight: setting.weight ?? 0, reverse: setting.reverse ?? false });
  return true;
}

/** `ADDRESS PORT`, `group NAME` or `fwmark N`; the protocol is that of the only virtual server there. */
function readTrackService(line: Statement, owner: string, draft: TrackersDraft, report: Report): void {
  const { keyword, words } = line;
  const [second, ...rest] = words;
  const name = second === undefined ? undefined : serviceNameOf(keyword.text, second.text);
  if (name === undefined) {
    const message = `(${owner}) ${quote([keyword, ...words].map(({ text }) => text).join(" "))} names no virtual server - ignoring`;
    report.warning("keepalived/bad-tracker", keyword, message, "Write ADDRESS PORT, group NAME or fwmark N");
    return;
  }
  if (readReference(line, name, rest, owner, "track_service", draft.trackServices, report))
    draft.serviceNames.push({ name, at: keyword });
}

/** As the first virtual server of that address may be called: with tcp. What is served decides in the end. */
function serviceNameOf(first: string, second: string): string | undefined {
  if (first === "group") return `[${second}]:0`;
  if (first === "fwmark") return /^[0-9]{1,10}$/.test(second) ? `FWM ${second}` : undefined;
  const address = parseIp(first);
  if (address === undefined || !/^[0-9]{1,5}$/.test(second)) return undefined;
  return serviceName(address, "tcp", Number(second));
}

/** Undefined when keepalived would not track it at all. A word behind `weight N` only loses its meaning. */
function readSetting(words: readonly Word[], owner: string, most: number, report: Report): Setting | undefined {
  const [option, value, direction] = words;
  const none: Setting = { weight: undefined, reverse: undefined };
  if (option === undefined) return none;
  if (option.text !== "weight") {
    const message = `(${owner}) unknown track option ${quote(option.text)} - ignoring`;
    const help = "One name a line, then weight N, then reverse or noreverse";
    report.warning("keepalived/bad-tracker", option, message, help);
    return undefined;
  }
  if (value === undefined) {
    report.warning("keepalived/bad-tracker", option, `(${owner}) weight without value - ignoring`, "Give -253 to 253");
    return undefined;
  }
  const weight = integer(value, -most, most, report);
  if (direction === undefined) return { ...none, weight };
  if (direction.text === "reverse" || direction.text === "noreverse") {
    return { weight, reverse: direction.text === "reverse" };
  }
  const message = `(${owner}) unknown weight option ${quote(direction.text)} - ignoring`;
  report.warning("keepalived/unknown-option", direction, message, "Write reverse or noreverse");
  return { ...none, weight };
}

function reportUnknown(name: Word, owner: string, { kind, block, below, codes }: Kind, report: Report): void {
  const isBelow = below.has(name.text);
  const cure = `Move its ${block} above ${quote(owner)}`;
  const help = isBelow ? cure : `Define it above: ${block} ${name.text} { … }`;
  const message = `(${owner}) ${kind} ${quote(name.text)} not found, ignoring...`;
  report.warning(isBelow ? codes.below : codes.unknown, name, message, help);
}

/** The first of a name counts, and no more than `MOST_TRACKERS`. */
function reportDuplicate(name: Word, owner: string, kind: string, into: readonly unknown[], report: Report): void {
  const full = into.length >= MOST_TRACKERS;
  const problem = full ? `more than ${MOST_TRACKERS} ${kind}` : `duplicate ${kind}`;
  const message = `(${owner}) ${problem} ${quote(name.text)} - ignoring`;
  report.warning("keepalived/duplicate-tracker", name, message, "Name it once");
}

/** True of a list that is full, too. */
const isTaken = <T>(into: readonly T[], isSame: (one: T) => boolean): boolean =>
  into.length >= MOST_TRACKERS || into.some(isSame);
