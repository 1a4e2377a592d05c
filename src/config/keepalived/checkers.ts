/**
 * Checkers of a real server (keepalived.conf(5), "Health checkers"): what their blocks say, completed later, when it is
 * known what the real server and the virtual server hand down.
 *
 * BFD_CHECK is known and refused: there is no BFD here.
 */

import { type Duration, seconds } from "../../base/time.ts";
import type { Checker, CheckSchedule, DnsRecordType } from "../model/virtual-server.ts";
import type { ScriptCommand, ScriptUser } from "../model/vrrp.ts";
import { connectionHandlers, noConnection } from "./check-connection.ts";
import {
  inherited,
  LONGEST_SECONDS,
  noSettings,
  type RetryDefaults,
  scheduleOf,
  settingHandlers,
} from "./check-settings.ts";
import { type CheckerDraft, connecting } from "./checker-draft.ts";
import { readHttpCheck } from "./http-check.ts";
import { quote, type Report } from "./report.ts";
import { commandOf, scriptUser } from "./script.ts";
import type { KnownTrackFiles } from "./track-file.ts";
import type { Statement, Word } from "./tree.ts";
import { readUdpCheck } from "./udp-check.ts";
import { integer } from "./values.ts";
import { type Handlers, walk } from "./walk.ts";

const ONE_SECOND: RetryDefaults = { retry: 1, delayBeforeRetry: seconds(1) };
const HTTP: RetryDefaults = { retry: 1, delayBeforeRetry: seconds(3) };
const DNS: RetryDefaults = { retry: 3, delayBeforeRetry: "delay_loop" };
const MISC: RetryDefaults = { retry: 0, delayBeforeRetry: seconds(1) };
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;
const HELO_NAME = "smtpchecker.keepalived.org";
const RECORD_TYPES: readonly DnsRecordType[] = ["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"];

/** `add` receives every checker that the real server's block opens. */
export function checkerHandlers(
  add: (checker: CheckerDraft) => void,
  files: KnownTrackFiles,
  report: Report,
): Handlers {
  const simple = (type: "TCP_CHECK" | "PING_CHECK") => (statement: Statement) =>
    add(connecting(statement, ONE_SECOND, {}, () => ({ type }), report));
  const http = (type: "HTTP_GET" | "SSL_GET") => (statement: Statement) => {
    const settings = noSettings();
    const { handlers, own } = readHttpCheck(type, statement.keyword, settings, report);
    add(connecting(statement, HTTP, handlers, own, report, settings));
  };
  return {
    TCP_CHECK: simple("TCP_CHECK"),
    PING_CHECK: simple("PING_CHECK"),
    HTTP_GET: http("HTTP_GET"),
    SSL_GET: http("SSL_GET"),
    SMTP_CHECK: (statement) => add(readSmtpCheck(statement, report)),
    DNS_CHECK: (statement) => add(readDnsCheck(statement, report)),
    UDP_CHECK: (statement) => {
      const { handlers, own } = readUdpCheck(statement.keyword, report);
      add(connecting(statement, ONE_SECOND, handlers, own, report));
    },
    MISC_CHECK: (statement) => add(readMiscCheck(statement, report)),
    FILE_CHECK: (statement) => add(readFileCheck(statement, files, report)),
  };
}

function readSmtpCheck(statement: Statement, report: Report): CheckerDraft {
  let heloName = HELO_NAME;
  let hosts = 0;
  const settings = noSettings();
  const host = noConnection();
  const handlers: Handlers = {
    helo_name: ({ keyword, words: [name] }) => {
      if (name !== undefined) heloName = name.text;
      else report.warning("keepalived/missing-value", keyword, "SMTP_CHECK helo name missing");
    },
    host: ({ keyword, block }) => {
      if (hosts++ > 0) {
        const message = "Only the last host block of an SMTP_CHECK is checked";
        report.warning("keepalived/obsolete", keyword, message, "Write an SMTP_CHECK for each");
      }
      const message = "SMTP_CHECK host blocks are obsolete: what stands inside can stand outside";
      report.note("keepalived/obsolete", keyword, message, "Move its lines out of the block");
      const inside = { ...settingHandlers(settings, 0, report), ...connectionHandlers(host, report) };
      walk(block ?? [], "host", inside, report);
    },
  };
  return connecting(statement, ONE_SECOND, handlers, () => ({ type: "SMTP_CHECK", heloName }), report, settings, host);
}

function readDnsCheck(statement: Statement, report: Report): CheckerDraft {
  let recordType: DnsRecordType = "SOA";
  let name = ".";
  const handlers: Handlers = {
    type: ({ words: [word] }) => {
      const found = RECORD_TYPES.find((one) => one === word?.text.toUpperCase());
      if (found !== undefined) recordType = found;
      else if (word !== undefined) {
        const message = `Unknown DNS check type ${quote(word.text)} - ignoring`;
        report.warning("keepalived/unknown-dns-type", word, message, `One of ${RECORD_TYPES.join(", ")}`);
      }
    },
    name: ({ words: [word] }) => {
      if (word !== undefined && isDnsName(word, report)) name = word.text;
    },
  };
  return connecting(statement, DNS, handlers, () => ({ type: "DNS_CHECK", recordType, name }), report);
}

function isDnsName(word: Word, report: Report): boolean {
  const name = word.text.replace(/\.$/, "");
  const labels = name === "" ? [] : name.split(".");
  if (name.length <= LONGEST_NAME && labels.every(({ length }) => length > 0 && length <= LONGEST_LABEL)) return true;
  const message = `DNS_CHECK name ${quote(word.text)} has an empty label or is too long - ignoring`;
  report.warning("keepalived/bad-dns-name", word, message, "At most 253 characters, labels of 1 to 63");
  return false;
}

function readMiscCheck(statement: Statement, report: Report): CheckerDraft {
  const settings = noSettings();
  let command: ScriptCommand | undefined;
  let user: ScriptUser | undefined;
  let timeout: Duration | undefined;
  let dynamic = false;
  const handlers: Handlers = {
    ...settingHandlers(settings, 0, report),
    misc_path: (line) => {
      command = commandOf(line, "ignored", report);
    },
    misc_timeout: ({ words: [word] }) => {
      const value = word && integer(word, 0, Math.floor(LONGEST_SECONDS), report, "the delay_loop");
      if (value !== undefined) timeout = seconds(value);
    },
    misc_dynamic: () => {
      dynamic = true;
    },
    user: ({ words: [name, group] }) => {
      if (name !== undefined) user = scriptUser(name.text, group?.text);
    },
  };
  walk(statement.block ?? [], "MISC_CHECK", handlers, report);
  if (command === undefined) {
    const message = "No script path has been specified for MISC_CHECK - skipping";
    report.warning("keepalived/no-script", statement.keyword, message, 'Add misc_path "/path/to/command argument"');
    return () => undefined;
  }
  const run: ScriptCommand = { argv: command.argv, user };
  return (context) => {
    const schedule = scheduleOf(inherited(context.settings, settings), MISC);
    const limit = timeout === undefined || timeout === 0 ? schedule.delayLoop : timeout;
    return { ...schedule, type: "MISC_CHECK", command: run, timeout: limit, dynamic };
  };
}

function readFileCheck(statement: Statement, files: KnownTrackFiles, report: Report): CheckerDraft {
  let file: { readonly name: string; readonly weight: number; readonly reverse: boolean } | undefined;
  let weight: number | undefined;
  let reverse = false;
  const handlers: Handlers = {
    track_file: ({ words: [name] }) => {
      if (name !== undefined) file = files.find(name, report);
    },
    weight: ({ keyword, words: [value, direction] }) => {
      if (value === undefined) report.warning("keepalived/missing-value", keyword, "track file weight missing");
      else weight = integer(value, -2_147_483_647, 2_147_483_647, report, "the track_file's weight") ?? weight;
      reverse = direction?.text === "reverse";
    },
  };
  walk(statement.block ?? [], "FILE_CHECK", handlers, report);
  if (file === undefined) {
    const message = "FILE_CHECK has no track_file specified - ignoring";
    report.warning("keepalived/no-track-file", statement.keyword, message, "Add track_file NAME");
    return () => undefined;
  }
  const { name, weight: usual, reverse: usually } = file;
  const given = weight === undefined ? { weight: usual, reverse: usually } : { weight, reverse };
  return ({ settings }): CheckSchedule & Checker => ({
    ...scheduleOf(settings, ONE_SECOND),
    type: "FILE_CHECK",
    trackFile: name,
    ...given,
  });
}
