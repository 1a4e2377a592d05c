/** Gratuitous ARP keywords: `garp_*` of an instance, `vrrp_garp_*` of global_defs. Defaults are keepalived's. */

import { type Duration, seconds } from "../../base/time.ts";
import type { GratuitousArp } from "../model/vrrp.ts";
import type { Report } from "./report.ts";
import type { Statement } from "./tree.ts";
import { integer, timer } from "./values.ts";
import type { Handlers } from "./walk.ts";

/** What was written; the rest comes from global_defs and defaults. */
export type GarpDraft = { -readonly [K in keyof GratuitousArp]?: GratuitousArp[K] };

const MOST_SECONDS = 4_294;
const MOST_REPEATS = 1_000;

/** Handlers of the keywords with `prefix` (`garp_` or `vrrp_garp_`) that fill `draft`. */
export function garpHandlers(prefix: "garp_" | "vrrp_garp_", draft: GarpDraft, report: Report): Handlers {
  const delay = (key: "masterDelay" | "masterRefresh" | "lowerPrioDelay") => (statement: Statement) => {
    const value = firstInteger(statement, 0, MOST_SECONDS, report);
    if (value !== undefined) draft[key] = seconds(value);
  };
  const count = (key: "masterRepeat" | "masterRefreshRepeat" | "lowerPrioRepeat") => (statement: Statement) => {
    if (statement.words[0]?.text === "0" && key !== "lowerPrioRepeat") {
      const message = `${statement.keyword.text} must be greater than 0, setting to 1`;
      report.warning("keepalived/out-of-range", statement.words[0], message, "Give a number from 1 on");
      draft[key] = 1;
      return;
    }
    const value = firstInteger(statement, 0, MOST_REPEATS, report);
    if (value !== undefined) draft[key] = value;
  };
  const extra = `${prefix}extra_if`;
  const old = prefix === "garp_" ? "vmac_garp_intvl" : "vrrp_vmac_garp_intvl";
  const setExtra = ({ words }: Statement) => {
    const word = words[0]?.text === "all" ? words[1] : words[0];
    const value = word && timer(word, 0, MOST_SECONDS, report, "none");
    if (value !== undefined) draft.extraInterfaces = value;
  };
  return {
    [extra]: setExtra,
    [old]: (statement) => {
      const message = `Keyword "${old}" is deprecated - please use "${extra}"`;
      report.warning("keepalived/obsolete", statement.keyword, message, `Write ${extra}`);
      setExtra(statement);
    },
    [`${prefix}master_delay`]: delay("masterDelay"),
    [`${prefix}master_repeat`]: count("masterRepeat"),
    [`${prefix}master_refresh`]: delay("masterRefresh"),
    [`${prefix}master_refresh_repeat`]: count("masterRefreshRepeat"),
    [`${prefix}lower_prio_delay`]: delay("lowerPrioDelay"),
    [`${prefix}lower_prio_repeat`]: count("lowerPrioRepeat"),
  };
}

/** `own` over `general` over keepalived's defaults; lower_prio is as the general master batch unless given, not as the own. */
export function completeGarp(own: GarpDraft, general: GarpDraft): GratuitousArp {
  const { masterDelay = seconds(5), masterRepeat = 5, interval = 0 as Duration, ...rest } = { ...general, ...own };
  return {
    masterDelay,
    masterRepeat,
    masterRefresh: rest.masterRefresh ?? seconds(0),
    masterRefreshRepeat: rest.masterRefreshRepeat ?? 1,
    lowerPrioDelay: rest.lowerPrioDelay ?? general.masterDelay ?? seconds(5),
    lowerPrioRepeat: rest.lowerPrioRepeat ?? general.masterRepeat ?? 5,
    interval,
    neighbourInterval: rest.neighbourInterval ?? seconds(0),
    extraInterfaces: rest.extraInterfaces ?? seconds(0),
  };
}

function firstInteger({ words }: Statement, least: number, greatest: number, report: Report): number | undefined {
  return words[0] === undefined ? undefined : integer(words[0], least, greatest, report);
}
