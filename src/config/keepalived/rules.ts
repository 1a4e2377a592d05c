/**
 * Lines of `virtual_rules` and `static_rules`: words of ip-rule(8) that keepalived.conf(5) takes.
 *
 * A selector that is not implemented leaves its rule out: without it the rule would catch more than was meant.
 */

import { type IpPrefix, isIpv4, parseIpPrefix } from "../../base/ip.ts";
import type { VirtualRule } from "../model/route.ts";
import type { IprouteNames } from "./iproute-names.ts";
import { OptionWords } from "./option-words.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import { integer, interfaceName } from "./values.ts";

/** keepalived counts down from here where a rule names no preference. */
const FIRST_PREFERENCE = 16_384;

const UNSUPPORTED: ReadonlySet<string> = new Set([
  ...["realms", "tun_id", "l3mdev", "suppress_prefixlength", "suppress_prefixlen", "suppress_ifgroup", "uidrange"],
  ...["ipproto", "sport", "dport"],
]);

type Draft = { -readonly [K in keyof VirtualRule]?: VirtualRule[K] };

export class RuleReader {
  readonly #names: IprouteNames;
  readonly #report: Report;
  #nextPreference = FIRST_PREFERENCE;

  constructor(names: IprouteNames, report: Report) {
    this.#names = names;
    this.#report = report;
  }

  /** Undefined when the line gives no rule that could be set. */
  read(statement: Statement): VirtualRule | undefined {
    const report = this.#report;
    const words = new OptionWords(statement, report);
    const draft: Draft = {};
    for (let word = words.next(); word !== undefined; word = words.next())
      if (!this.#readWord(word, words, draft)) return undefined;
    const { action, from, to } = draft;
    if (action === undefined) {
      const help = "Add table NAME, goto N, blackhole, unreachable or prohibit";
      report.warning("keepalived/bad-rule", statement.keyword, "No action specified for rule - ignoring", help);
      return undefined;
    }
    if (action.type === "goto" && draft.preference !== undefined && draft.preference >= action.preference) {
      const message = `Invalid rule - preference ${draft.preference} >= goto target ${action.preference}`;
      report.warning("keepalived/bad-rule", statement.keyword, message, "A goto leads to a later rule");
      return undefined;
    }
    return {
      family: draft.family ?? "ipv4",
      not: draft.not ?? false,
      from,
      to,
      incomingInterface: draft.incomingInterface,
      outgoingInterface: draft.outgoingInterface,
      mark: draft.mark,
      typeOfService: draft.typeOfService ?? 0,
      preference: draft.preference ?? this.#chosenPreference(statement.keyword),
      action,
      noTrack: draft.noTrack ?? false,
      written: words.written,
    };
  }

  #chosenPreference(at: Word): number {
    const preference = this.#nextPreference--;
    const message = `Rule has no preference specified - setting to ${preference}. This is probably not what you want.`;
    this.#report.warning("keepalived/no-preference", at, message, "Add preference N");
    return preference;
  }

  /** False when the rule cannot be set. */
  #readWord(word: Word, words: OptionWords, draft: Draft): boolean {
    const report = this.#report;
    switch (word.text) {
      case "not":
        draft.not = true;
        return true;
      case "from":
      case "to":
        return setPrefix(word.text, words.valueOf(word), draft, report);
      case "inet":
      case "inet6":
        draft.family = word.text === "inet" ? "ipv4" : "ipv6";
        return true;
      case "table":
      case "lookup":
        return this.#setTable(words.valueOf(word), draft);
      case "iif":
      case "dev":
      case "oif": {
        const value = words.valueOf(word);
        const name = value && interfaceName(value, report);
        if (name === undefined) return false;
        if (word.text === "oif") draft.outgoingInterface = name;
        else draft.incomingInterface = name;
        return true;
      }
      case "fwmark":
        return setMark(words.valueOf(word), draft, report);
      case "tos":
      case "dsfield": {
        const value = words.valueOf(word);
        const field = value && this.#names.number("rt_dsfield", value.text);
        if (value !== undefined && field === undefined)
          report.warning("keepalived/bad-rule", value, `TOS value ${value.text} is invalid`, "The rule is left out");
        if (field !== undefined) draft.typeOfService = field;
        return field !== undefined;
      }
      case "preference":
      case "priority":
      case "order": {
        const value = words.valueOf(word);
        const preference = value && integer(value, 0, 0xffff_ffff, report);
        if (preference !== undefined) draft.preference = preference;
        return preference !== undefined;
      }
      case "goto": {
        const value = words.valueOf(word);
        const preference = value && integer(value, 1, 0xffff_ffff, report);
        if (preference !== undefined) draft.action = { type: "goto", preference };
        return preference !== undefined;
      }
      case "blackhole":
      case "unreachable":
      case "prohibit":
      case "nop":
        draft.action = { type: word.text };
        return true;
      case "no_track":
        draft.noTrack = true;
        return true;
      case "protocol":
        return words.valueOf(word) !== undefined;
      case "track_group": {
        const message = "'track_group' is not implemented yet";
        report.warning("keepalived/not-implemented", word, message, "Losing the rule changes no state");
        return words.valueOf(word) !== undefined;
      }
      default: {
        const known = UNSUPPORTED.has(word.text);
        const message = known
          ? `${quote(word.text)} of a rule is not implemented yet`
          : `Unknown rule option ${quote(word.text)}`;
        const help = "The rule is left out";
        report.warning(known ? "keepalived/not-implemented" : "keepalived/bad-rule", word, message, help);
        return false;
      }
    }
  }

  #setTable(word: Word | undefined, draft: Draft): boolean {
    if (word === undefined) return false;
    const table = this.#names.number("rt_tables", word.text);
    if (table === undefined || table === 0) {
      const message = table === 0 ? `Table ${word.text} is not valid` : `Routing table ${word.text} not found for rule`;
      const help = "Write its number, or name it in /etc/iproute2/rt_tables";
      this.#report.warning("keepalived/bad-rule", word, message, help);
      return false;
    }
    draft.action = { type: "table", table };
    return true;
  }
}

function setPrefix(side: "from" | "to", word: Word | undefined, draft: Draft, report: Report): boolean {
  if (word === undefined) return false;
  if (word.text === "all" || word.text === "any" || word.text === "default") return true;
  const prefix: IpPrefix | undefined = parseIpPrefix(word.text);
  if (prefix === undefined) {
    report.warning(
      "keepalived/bad-rule",
      word,
      `Invalid rule ${side} address ${quote(word.text)}`,
      "The rule is left out",
    );
    return false;
  }
  const family = isIpv4(prefix.address) ? "ipv4" : "ipv6";
  draft.family ??= family;
  if (draft.family !== family) {
    report.warning("keepalived/bad-rule", word, "rule specification has mixed IPv4 and IPv6", "The rule is left out");
    return false;
  }
  draft[side] = prefix;
  return true;
}

function setMark(word: Word | undefined, draft: Draft, report: Report): boolean {
  if (word === undefined) return false;
  const number = "(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})";
  const [, value, mask] = new RegExp(`^${number}(?:/${number})?$`).exec(word.text) ?? [];
  const mark = { value: Number(value), mask: Number(mask ?? 0xffff_ffff) };
  if (value === undefined || mark.value > 0xffff_ffff || mark.mask > 0xffff_ffff) {
    report.warning("keepalived/bad-rule", word, `Invalid fwmark ${quote(word.text)}`, "Write MARK or MARK/MASK");
    return false;
  }
  draft.mark = mark;
  return true;
}
