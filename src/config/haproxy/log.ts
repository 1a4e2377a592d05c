/** `log` in `global` and in proxies (HAProxy 2.6 configuration.txt §3.1 and §4.2 "log"). Sends nothing. */

import { fail, ok, type Result } from "../../base/result.ts";
import type { LogLevel, LogTarget } from "../model/proxy.ts";
import { parseSocketAddress } from "./address.ts";
import { type Problem, type Reading, shortened } from "./reading.ts";
import { didYouMean, present, type Statement } from "./statement.ts";

const FACILITIES = (
  "kern user mail daemon auth syslog lpr news uucp cron auth2 ftp ntp audit alert cron2 " +
  "local0 local1 local2 local3 local4 local5 local6 local7"
).split(" ");
const LEVELS: readonly LogLevel[] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
const FORMATS: readonly LogTarget["format"][] = [
  "rfc3164",
  "rfc5424",
  "local",
  "raw",
  "short",
  "timed",
  "iso",
  "priority",
];
/** Of one proxy or of `global`: every line goes to each. */
export const MOST_LOGS = 100;
const SYSLOG_PORT = 514;

/** `log TARGET [len N] [format F] [sample R:S] FACILITY [LEVEL [MINLEVEL]]`; undefined after an error or a warning. */
export function readLog(statement: Statement, reading: Reading): LogTarget | undefined {
  const { diagnostics } = reading;
  if (!present(statement, 1, "a target and a facility", diagnostics)) return undefined;
  let at = 2;
  let length = 1024;
  let format: LogTarget["format"] = "rfc3164";
  for (; ["len", "format", "sample"].includes(statement.text(at)); at += 2) {
    const word = statement.words[at + 1];
    if (!present(statement, at + 1, "a value", diagnostics) || word === undefined) return undefined;
    if (statement.text(at) === "len") {
      length = Number(word.text);
      if (!/^[0-9]{1,5}$/.test(word.text) || length < 80 || length > 65_535)
        return bad(reading, statement, at + 1, "the length of a log line is from 80 to 65535");
    } else if (statement.text(at) === "format") {
      const known = FORMATS.find((one) => one === word.text);
      if (known === undefined) return unknown(reading, statement, at + 1, "a log format", FORMATS);
      format = known;
    } else {
      const message = "'sample' is not implemented: every line is sent";
      diagnostics.warning("haproxy/not-implemented", statement.span(at), message);
    }
  }
  if (!present(statement, at, "a facility, such as local0", diagnostics)) return undefined;
  const facility = FACILITIES.indexOf(statement.text(at));
  if (facility < 0) return unknown(reading, statement, at, "a facility", FACILITIES);
  const level = levelAt(statement, at + 1, "debug", reading);
  const minLevel = levelAt(statement, at + 2, "emerg", reading);
  const to = destination(statement.text(1));
  if (!to.ok) {
    const { severity = "error", code, message, help } = to.error;
    diagnostics.add(severity, code, statement.span(1), message, help);
    return undefined;
  }
  return level === undefined || minLevel === undefined
    ? undefined
    : { to: to.value, length, format, facility, level, minLevel };
}

function destination(text: string): Result<LogTarget["to"], Problem> {
  if (text === "stdout" || text === "stderr") return ok({ kind: text });
  const lost = (what: string): Problem => ({
    severity: "warning",
    code: "haproxy/not-implemented",
    message: `${what} is not implemented as a log target: its lines are not sent`,
    help: "log to ADDRESS:PORT, a Unix socket such as /dev/log, stdout or stderr",
  });
  const parsed = parseSocketAddress(text);
  if (!parsed.ok) return fail({ code: "haproxy/bad-address", message: `'${shortened(text)}': ${parsed.error}` });
  const target = parsed.value;
  switch (target.kind) {
    case "unix":
      return ok({ kind: "unix", path: target.path });
    case "descriptor":
      if (target.number === 1 || target.number === 2) return ok({ kind: target.number === 1 ? "stdout" : "stderr" });
      return fail(lost(`descriptor ${target.number}`));
    case "other":
      return fail(lost(`'${target.family}@'`));
    case "name":
      return fail({
        severity: "warning",
        code: "haproxy/host-name",
        message: `'${target.host}' is not looked up: nothing is logged to it`,
        help: "write its address",
      });
    case "ip": {
      if (target.address === undefined)
        return fail({ code: "haproxy/bad-address", message: "a log target wants an address" });
      const port = target.ports?.first ?? SYSLOG_PORT;
      return ok({ kind: "udp", address: target.address, port });
    }
    default:
      return target satisfies never;
  }
}

function levelAt(statement: Statement, index: number, absent: LogLevel, reading: Reading): LogLevel | undefined {
  const text = statement.text(index);
  if (text === "") return absent;
  return LEVELS.find((one) => one === text) ?? unknown(reading, statement, index, "a log level", LEVELS);
}

function unknown(
  reading: Reading,
  statement: Statement,
  index: number,
  what: string,
  known: readonly string[],
): undefined {
  const help = didYouMean(statement.text(index), known, reading.diagnostics) ?? `known are ${known.join(", ")}`;
  const message = `'${shortened(statement.text(index))}' is not ${what}`;
  reading.diagnostics.error("haproxy/bad-value", statement.span(index), message, help);
  return undefined;
}

function bad(reading: Reading, statement: Statement, index: number, message: string): undefined {
  reading.diagnostics.error("haproxy/bad-value", statement.span(index), message);
  return undefined;
}
