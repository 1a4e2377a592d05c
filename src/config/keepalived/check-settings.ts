/**
 * What a virtual server, its real servers and their checkers hand down to each other: `retry`, `delay_loop`,
 * `virtualhost` and the like (keepalived.conf(5), "Virtual server(s)").
 *
 * `check_path` is a keyword of evenkeel's own.
 */

import { type Duration, seconds } from "../../base/time.ts";
import type { CheckSchedule } from "../model/virtual-server.ts";
import { quote, type Report } from "./report.ts";
import type { Statement } from "./tree.ts";
import { flag, integer, timer } from "./values.ts";
import type { Handlers } from "./walk.ts";

export interface CheckSettings {
  virtualhost: string | undefined;
  alpha: boolean | undefined;
  retry: number | undefined;
  delayBeforeRetry: Duration | undefined;
  warmup: Duration | undefined;
  connectTimeout: Duration | undefined;
  delayLoop: Duration | undefined;
  logAllFailures: boolean | undefined;
  path: "direct" | "data_plane" | undefined;
}

export const noSettings = (): CheckSettings => ({
  virtualhost: undefined,
  alpha: undefined,
  retry: undefined,
  delayBeforeRetry: undefined,
  warmup: undefined,
  connectTimeout: undefined,
  delayLoop: undefined,
  logAllFailures: undefined,
  path: undefined,
});

const SHORTEST_SECONDS = 0.000_001;
export const LONGEST_SECONDS = 4_294.967_295;
/** keepalived takes more, but nobody means to wait longer than a year. */
const LONGEST_LOOP_SECONDS = 31_536_000;
export const MOST_RETRIES = 4_294_967_295;
const DEFAULT_DELAY_LOOP = seconds(60);

/** `least`: of `retry`, which only a checker may set to 0. */
export function settingHandlers(into: CheckSettings, least: 0 | 1, report: Report): Handlers {
  return {
    virtualhost: ({ keyword, words: [name] }) => {
      if (name === undefined) report.warning("keepalived/missing-value", keyword, "virtualhost missing - ignoring");
      else into.virtualhost = name.text;
    },
    retry: ({ words: [count] }) => {
      into.retry = (count && integer(count, least, MOST_RETRIES, report)) ?? into.retry;
    },
    delay_before_retry: time("delayBeforeRetry", 0, LONGEST_SECONDS, into, report),
    warmup: time("warmup", 0, LONGEST_SECONDS, into, report),
    connect_timeout: time("connectTimeout", SHORTEST_SECONDS, LONGEST_SECONDS, into, report),
    delay_loop: time("delayLoop", SHORTEST_SECONDS, LONGEST_LOOP_SECONDS, into, report),
    alpha: ({ words: [value] }) => {
      into.alpha = flag(value, report) ?? into.alpha;
    },
    log_all_failures: ({ words: [value] }) => {
      into.logAllFailures = flag(value, report) ?? into.logAllFailures;
    },
    check_path: ({ words: [value] }) => {
      if (value?.text === "direct" || value?.text === "data_plane") into.path = value.text;
      else if (value !== undefined)
        report.warning(
          "keepalived/unknown-option",
          value,
          `unknown check_path ${quote(value.text)} - ignoring`,
          "Write direct or data_plane",
        );
    },
  };
}

type Times = "delayBeforeRetry" | "warmup" | "connectTimeout" | "delayLoop";

function time(name: Times, least: number, greatest: number, into: CheckSettings, report: Report) {
  return ({ words: [value] }: Statement): void => {
    into[name] = (value && timer(value, least, greatest, report)) ?? into[name];
  };
}

/** Later ones win where they say something. */
export function inherited(...levels: readonly CheckSettings[]): CheckSettings {
  const result = noSettings();
  for (const level of levels) {
    const given = Object.entries(level).filter(([, value]) => value !== undefined);
    Object.assign(result, Object.fromEntries(given));
  }
  return result;
}

/** Of a kind of checker. `delay_loop`: as long as the time between two checks. */
export interface RetryDefaults {
  readonly retry: number;
  readonly delayBeforeRetry: Duration | "delay_loop";
}

export function scheduleOf(settings: CheckSettings, defaults: RetryDefaults): CheckSchedule {
  const delayLoop = settings.delayLoop ?? DEFAULT_DELAY_LOOP;
  const delay = defaults.delayBeforeRetry === "delay_loop" ? delayLoop : defaults.delayBeforeRetry;
  return {
    delayLoop,
    retry: settings.retry ?? defaults.retry,
    delayBeforeRetry: settings.delayBeforeRetry ?? delay,
    warmup: settings.warmup ?? delayLoop,
    alpha: settings.alpha ?? false,
    logAllFailures: settings.logAllFailures ?? false,
  };
}
