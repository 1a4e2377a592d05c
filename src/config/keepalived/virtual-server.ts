/**
 * `virtual_server … { … }`: what its lines say (keepalived.conf(5), "Virtual server(s)"). What follows from several of
 * them together is `virtual-server-rules.ts`.
 *
 * `on_server_down` is a keyword of evenkeel's own.
 */

import type { OnServerDown, SchedulerName } from "../../director/plane.ts";
import type { ScriptCommand } from "../model/vrrp.ts";
import { type CheckSettings, noSettings, settingHandlers } from "./check-settings.ts";
import { type Endpoint, endpoint, type Method, methodOf, schedulerOf } from "./lvs-words.ts";
import { type RealServerDraft, readRealServer, weightOf } from "./real-server.ts";
import { quote, type Report } from "./report.ts";
import { commandOf } from "./script.ts";
import type { KnownTrackFiles } from "./track-file.ts";
import type { Statement, Word } from "./tree.ts";
import { flag, integer } from "./values.ts";
import { GREATEST_MARK } from "./virtual-server-group.ts";
import { type Handlers, walk } from "./walk.ts";

export type VirtualServerHead =
  | ({ readonly kind: "address" } & Endpoint)
  | { readonly kind: "mark"; readonly mark: number }
  | { readonly kind: "group"; readonly name: string };

export interface SorryDraft extends Endpoint {
  readonly at: Word;
  method: Method | undefined;
  inhibit: boolean;
}

export interface VirtualServerDraft {
  readonly at: Word;
  readonly head: VirtualServerHead;
  scheduler: SchedulerName | undefined;
  method: Method | undefined;
  protocol: { readonly value: "tcp" | "udp" | "sctp"; readonly at: Word } | undefined;
  family: { readonly value: 4 | 6; readonly at: Word } | undefined;
  /** Seconds. */
  persistence: number | undefined;
  granularity: Word | undefined;
  ops: Word | undefined;
  readonly flags: { fallback: boolean; port: boolean; flag3: boolean };
  onServerDown: OnServerDown;
  quorum: { readonly value: number; readonly at: Word } | undefined;
  hysteresis: { readonly value: number; readonly at: Word } | undefined;
  quorumUp: ScriptCommand | undefined;
  quorumDown: ScriptCommand | undefined;
  omega: boolean;
  haSuspend: boolean;
  smtpAlert: boolean | undefined;
  inhibitOnFailure: boolean;
  weight: number | undefined;
  readonly settings: CheckSettings;
  sorry: SorryDraft | undefined;
  readonly realServers: RealServerDraft[];
}

const DEFAULT_PERSISTENCE_SECONDS = 360;
/** 31 days, as keepalived has it. */
const LONGEST_PERSISTENCE_SECONDS = 2_678_400;
const GREATEST_QUORUM = 4_294_967_295;
const PROTOCOLS = { TCP: "tcp", UDP: "udp", SCTP: "sctp" } as const;

/** Undefined when the head names nothing that could be served. */
export function readVirtualServer(
  statement: Statement,
  files: KnownTrackFiles,
  report: Report,
): VirtualServerDraft | undefined {
  const head = headOf(statement, report);
  if (head === undefined) return undefined;
  const draft: VirtualServerDraft = {
    at: statement.words[0] ?? statement.keyword,
    head,
    scheduler: undefined,
    method: undefined,
    protocol: undefined,
    family: undefined,
    persistence: undefined,
    granularity: undefined,
    ops: undefined,
    flags: { fallback: false, port: false, flag3: false },
    onServerDown: "reset",
    quorum: undefined,
    hysteresis: undefined,
    quorumUp: undefined,
    quorumDown: undefined,
    omega: false,
    haSuspend: false,
    smtpAlert: undefined,
    inhibitOnFailure: false,
    weight: undefined,
    settings: noSettings(),
    sorry: undefined,
    realServers: [],
  };
  const handlers = {
    ...settingHandlers(draft.settings, 1, report),
    ...servingHandlers(draft, report),
    ...quorumHandlers(draft, report),
    ...serverHandlers(draft, files, report),
  };
  walk(statement.block ?? [], "virtual_server", handlers, report);
  return draft;
}

function headOf({ keyword, words }: Statement, report: Report): VirtualServerHead | undefined {
  const [first, second] = words;
  if (first === undefined) return undefined;
  if (first.text !== "group" && first.text !== "fwmark") {
    const place = endpoint([withoutRange(first, report), ...words.slice(1)], "virtual server", report);
    return place && { kind: "address", ...place };
  }
  if (second === undefined) {
    const message = `Configuration line starting ${quote(keyword.text)} is missing a parameter`;
    report.error("keepalived/missing-parameter", first, message, "Write group NAME or fwmark N");
    return undefined;
  }
  if (first.text === "group") return { kind: "group", name: second.text };
  const mark = integer(second, 1, GREATEST_MARK, report);
  return mark === undefined ? undefined : { kind: "mark", mark };
}

/** keepalived takes the first address of a range and says nothing. */
function withoutRange(word: Word, report: Report): Word {
  const [, head] = /^([0-9A-Fa-f.:]+)[-/]/.exec(word.text) ?? [];
  if (head === undefined) return word;
  const message = `${quote(word.text)} is a range: only ${head} is served`;
  report.warning("keepalived/bad-range", word, message, "Write a virtual_server_group and virtual_server group NAME");
  return { ...word, text: head };
}

function servingHandlers(draft: VirtualServerDraft, report: Report): Handlers {
  const scheduler = ({ words: [word] }: Statement) => {
    draft.scheduler = (word && schedulerOf(word, report)) ?? draft.scheduler;
  };
  const method = ({ words }: Statement) => {
    draft.method = methodOf(words, "virtual server", report) ?? draft.method;
  };
  const flagFor = (wanted: "sh" | "mh" | undefined, name: keyof VirtualServerDraft["flags"]) => {
    return ({ keyword }: Statement) => {
      if (wanted === undefined || draft.scheduler === wanted) draft.flags[name] = true;
      else {
        const message = `${keyword.text} only applies to ${wanted} scheduler - ignoring`;
        report.warning("keepalived/other-scheduler", keyword, message, `Write it below lb_algo ${wanted}`);
      }
    };
  };
  return {
    lb_algo: scheduler,
    lvs_sched: scheduler,
    lb_kind: method,
    lvs_method: method,
    protocol: ({ words: [word] }) => {
      const upper = word?.text.toUpperCase() ?? "";
      const value = Object.hasOwn(PROTOCOLS, upper) ? PROTOCOLS[upper as keyof typeof PROTOCOLS] : undefined;
      if (word === undefined) return;
      if (value !== undefined) draft.protocol = { value, at: word };
      else {
        const message = `Unknown protocol ${quote(word.text)} - ignoring`;
        report.warning("keepalived/unknown-protocol", word, message, "Write TCP or UDP");
      }
    },
    persistence_timeout: ({ words: [word] }) => {
      if (word === undefined) draft.persistence = DEFAULT_PERSISTENCE_SECONDS;
      else draft.persistence = integer(word, 1, LONGEST_PERSISTENCE_SECONDS, report) ?? draft.persistence;
    },
    persistence_granularity: ({ words: [word] }) => {
      draft.granularity = word;
      draft.persistence ??= DEFAULT_PERSISTENCE_SECONDS;
    },
    ops: ({ keyword }) => {
      draft.ops = keyword;
    },
    "flag-1": flagFor(undefined, "fallback"),
    "flag-2": flagFor(undefined, "port"),
    "flag-3": flagFor(undefined, "flag3"),
    "sh-fallback": flagFor("sh", "fallback"),
    "sh-port": flagFor("sh", "port"),
    "mh-fallback": flagFor("mh", "fallback"),
    "mh-port": flagFor("mh", "port"),
    ip_family: ({ words: [word] }) => {
      if (word === undefined) return;
      if (word.text === "inet" || word.text === "inet6")
        draft.family = { value: word.text === "inet" ? 4 : 6, at: word };
      else {
        const message = `unknown address family ${quote(word.text)}`;
        report.warning("keepalived/unknown-option", word, message, "Write inet or inet6");
      }
    },
    on_server_down: ({ words: [word] }) => {
      if (word?.text === "move" || word?.text === "reset" || word?.text === "keep") draft.onServerDown = word.text;
      else if (word !== undefined) {
        const message = `unknown on_server_down ${quote(word.text)} - ignoring`;
        report.warning("keepalived/unknown-option", word, message, "Write move, reset or keep");
      }
    },
  };
}

function quorumHandlers(draft: VirtualServerDraft, report: Report): Handlers {
  const count = (name: "quorum" | "hysteresis", least: 0 | 1) => {
    return ({ words: [word] }: Statement) => {
      const value = word && integer(word, least, GREATEST_QUORUM, report, String(least));
      if (word === undefined) return;
      draft[name] = { value: value ?? least, at: word };
    };
  };
  return {
    quorum: count("quorum", 1),
    hysteresis: count("hysteresis", 0),
    quorum_up: (line) => {
      draft.quorumUp = commandOf(line, "user", report);
    },
    quorum_down: (line) => {
      draft.quorumDown = commandOf(line, "user", report);
    },
    alpha: (statement) => {
      draft.settings.alpha = true;
      warnOfNoOffSwitch(statement, report);
    },
    omega: (statement) => {
      draft.omega = true;
      warnOfNoOffSwitch(statement, report);
    },
    ha_suspend: () => {
      draft.haSuspend = true;
    },
    inhibit_on_failure: () => {
      draft.inhibitOnFailure = true;
    },
    smtp_alert: ({ words: [word] }) => {
      draft.smtpAlert = flag(word, report) ?? draft.smtpAlert;
    },
  };
}

/** In a virtual server the keyword alone sets it, whatever follows. */
function warnOfNoOffSwitch({ keyword, words: [value] }: Statement, report: Report): void {
  if (value === undefined || flag(value, report) !== false) return;
  const message = `${quote(value.text)} does not switch ${quote(keyword.text)} off: the keyword alone sets it`;
  report.warning("keepalived/no-off-switch", value, message, "Remove the line to switch it off");
}

function serverHandlers(draft: VirtualServerDraft, files: KnownTrackFiles, report: Report): Handlers {
  return {
    weight: ({ words: [word] }) => {
      draft.weight = (word && weightOf(word, 1, report)) ?? draft.weight;
    },
    real_server: (statement) => {
      const server = readRealServer(statement, draft.method, files, report);
      if (server !== undefined) draft.realServers.push(server);
    },
    sorry_server: ({ keyword, words }) => {
      const place = endpoint(words, "sorry server", report);
      if (place !== undefined)
        draft.sorry = { at: words[0] ?? keyword, ...place, method: draft.method, inhibit: false };
    },
    sorry_server_inhibit: ({ keyword }) => {
      if (draft.sorry !== undefined) draft.sorry.inhibit = true;
      else reportNoSorry(keyword, report);
    },
    sorry_server_lvs_method: ({ keyword, words }) => {
      if (draft.sorry === undefined) return reportNoSorry(keyword, report);
      draft.sorry.method = methodOf(words, "sorry server", report) ?? draft.sorry.method;
    },
  };
}

function reportNoSorry(keyword: Word, report: Report): void {
  const message = `Ignoring ${quote(keyword.text)} used before or without sorry_server`;
  report.warning("keepalived/no-sorry-server", keyword, message, "Write it below sorry_server IP PORT");
}
