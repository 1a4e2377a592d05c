/** `real_server IP [PORT] { … }`: what its lines say (keepalived.conf(5), "Virtual server(s)"). */

import type { IpAddress } from "../../base/ip.ts";
import type { ScriptCommand } from "../model/vrrp.ts";
import { type CheckSettings, noSettings, settingHandlers } from "./check-settings.ts";
import type { CheckerDraft } from "./checker-draft.ts";
import { checkerHandlers } from "./checkers.ts";
import { endpoint, type Method, methodOf } from "./lvs-words.ts";
import { quote, type Report } from "./report.ts";
import { commandOf } from "./script.ts";
import type { KnownTrackFiles } from "./track-file.ts";
import type { Statement, Word } from "./tree.ts";
import { flag, integer } from "./values.ts";
import { type Handlers, walk } from "./walk.ts";

export interface RealServerDraft {
  readonly at: Word;
  readonly address: IpAddress;
  readonly port: number | undefined;
  /** What holds for the virtual server at this line, unless the real server has its own. */
  method: Method | undefined;
  /** The real server says it itself: what follows in the virtual server has no say. */
  ownMethod: boolean;
  weight: number | undefined;
  upperThreshold: number;
  lowerThreshold: number;
  inhibitOnFailure: boolean | undefined;
  notifyUp: ScriptCommand | undefined;
  notifyDown: ScriptCommand | undefined;
  smtpAlert: boolean | undefined;
  readonly settings: CheckSettings;
  readonly checkers: CheckerDraft[];
}

/** What data planes keep of a weight; keepalived itself takes more. */
export const MOST_WEIGHT = 65_535;
const MOST_CONNECTIONS = 4_294_967_295;

export function readRealServer(
  statement: Statement,
  method: Method | undefined,
  files: KnownTrackFiles,
  report: Report,
): RealServerDraft | undefined {
  const place = endpoint(statement.words, "real server", report);
  if (place === undefined) return undefined;
  const draft: RealServerDraft = {
    at: statement.words[0] ?? statement.keyword,
    ...place,
    method,
    ownMethod: false,
    weight: undefined,
    upperThreshold: 0,
    lowerThreshold: 0,
    inhibitOnFailure: undefined,
    notifyUp: undefined,
    notifyDown: undefined,
    smtpAlert: undefined,
    settings: noSettings(),
    checkers: [],
  };
  walk(statement.block ?? [], "real_server", handlersOf(draft, files, report), report);
  return draft;
}

function handlersOf(draft: RealServerDraft, files: KnownTrackFiles, report: Report): Handlers {
  return {
    ...settingHandlers(draft.settings, 1, report),
    ...checkerHandlers((checker) => draft.checkers.push(checker), files, report),
    weight: ({ words: [word] }) => {
      draft.weight = (word && weightOf(word, 0, report)) ?? draft.weight;
    },
    lvs_method: ({ words }) => {
      const method = methodOf(words, "real server", report);
      if (method !== undefined) Object.assign(draft, { method, ownMethod: true });
    },
    uthreshold: ({ words: [word] }) => {
      draft.upperThreshold = (word && integer(word, 0, MOST_CONNECTIONS, report, "none")) ?? draft.upperThreshold;
    },
    lthreshold: ({ words: [word] }) => {
      draft.lowerThreshold = (word && integer(word, 0, MOST_CONNECTIONS, report, "none")) ?? draft.lowerThreshold;
    },
    inhibit_on_failure: ({ words: [word] }) => {
      draft.inhibitOnFailure = flag(word, report) ?? draft.inhibitOnFailure;
    },
    notify_up: (line) => {
      draft.notifyUp = commandOf(line, "user", report);
    },
    notify_down: (line) => {
      draft.notifyDown = commandOf(line, "user", report);
    },
    smtp_alert: ({ words: [word] }) => {
      draft.smtpAlert = flag(word, report) ?? draft.smtpAlert;
    },
  };
}

/** A weight that keepalived takes and IPVS's tools do not is cut. */
export function weightOf(word: Word, least: 0 | 1, report: Report): number | undefined {
  const weight = integer(word, least, 2_147_483_647, report, "1");
  if (weight === undefined || weight <= MOST_WEIGHT) return weight;
  const message = `weight ${quote(word.text)} is more than ${MOST_WEIGHT}: ${MOST_WEIGHT} is used`;
  report.warning("keepalived/out-of-range", word, message, `Give a weight from ${least} to ${MOST_WEIGHT}`);
  return MOST_WEIGHT;
}
