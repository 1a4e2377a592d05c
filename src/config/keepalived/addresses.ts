/** Lines of `virtual_ipaddress` and `virtual_ipaddress_excluded` (keepalived.conf(5)). */

import {
  type IpAddress,
  type Ipv4Address,
  ipToBytes,
  ipv4FromBytes,
  isIpv4,
  parseIp,
  parseIpv4,
} from "../../base/ip.ts";
import type { VirtualAddress } from "../model/vrrp.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import { interfaceName } from "./values.ts";

/** An address whose interface may still be that of its instance. */
export type AddressLine = Omit<VirtualAddress, "interface"> & {
  readonly interface: string | undefined;
  readonly written: Word;
};

type Scope = VirtualAddress["scope"];

/** rt_scopes of iproute2. */
const SCOPES: ReadonlySet<string> = new Set(["global", "site", "link", "host", "nowhere"]);
const LONGEST_LABEL = 15;
/** Known to keepalived, not implemented yet; with the number of words that follow. */
const MISSING_OPTIONS: Readonly<Record<string, number>> = {
  use_vmac: 0,
  peer: 1,
  home: 0,
  "-nodad": 0,
  mngtmpaddr: 0,
  noprefixroute: 0,
  autojoin: 0,
  preferred_lft: 1,
  track_group: 1,
};

interface Options {
  interface: string | undefined;
  broadcast: Word | undefined;
  label: string | undefined;
  scope: Scope;
  noTrack: boolean;
}

/** Undefined when the line gives no address that could be set. */
export function readAddress(statement: Statement, report: Report): AddressLine | undefined {
  const written = statement.keyword;
  const [head = "", mask] = splitOnce(written.text, "/");
  const address = parseIp(head);
  if (address === undefined) {
    const message = `VRRP parsed invalid IP ${quote(head)}. skipping IP...`;
    report.warning("keepalived/bad-address", written, message, "Write ADDRESS/LENGTH [dev INTERFACE] [label LABEL] …");
    return undefined;
  }
  const options = readOptions(statement, report);
  if (options === undefined) return undefined;
  const prefixLength = prefixLengthOf(address, mask, written, report);
  const broadcast = broadcastOf(address, prefixLength, options.broadcast, report);
  const { interface: dev, label, scope, noTrack } = options;
  const more = { peer: undefined, flags: [], nodad: false, preferredLifetime: undefined };
  return { address, prefixLength, interface: dev, broadcast, label, scope, noTrack, written, ...more };
}

function prefixLengthOf(address: IpAddress, mask: string | undefined, written: Word, report: Report): number {
  const longest = isIpv4(address) ? 32 : 128;
  if (mask === undefined) {
    const help = `Write ${address}/24, or whatever the network has, to add a route to it; write /${longest} to say it is meant`;
    report.note(
      "keepalived/host-prefix",
      written,
      `${quote(address)} has no prefix length: /${longest} is taken`,
      help,
    );
    return longest;
  }
  if (/^[0-9]{1,3}$/.test(mask) && Number(mask) <= longest) return Number(mask);
  const message = `Invalid address prefix len ${quote(mask)} for address ${quote(written.text)} - using ${longest}`;
  report.warning("keepalived/bad-address", written, message, `Give a length from 0 to ${longest}`);
  return longest;
}

function readOptions({ keyword: written, words }: Statement, report: Report): Options | undefined {
  const options: Options = {
    interface: undefined,
    broadcast: undefined,
    label: undefined,
    scope: "global",
    noTrack: false,
  };
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? written;
    const missing = Object.hasOwn(MISSING_OPTIONS, word.text) ? MISSING_OPTIONS[word.text] : undefined;
    if (missing !== undefined) {
      report.warning("keepalived/not-implemented", word, `${quote(word.text)} is not implemented yet`);
      at += missing;
      continue;
    }
    if (word.text === "no_track") {
      options.noTrack = true;
      continue;
    }
    if (!["dev", "brd", "broadcast", "label", "scope"].includes(word.text)) {
      const message = `Unknown configuration entry ${quote(word.text)} for ip address - ignoring`;
      const isAddress = parseIp(word.text.split("/")[0] ?? "") !== undefined;
      report.warning("keepalived/unknown-option", word, message, isAddress ? "One address a line" : undefined);
      continue;
    }
    const value = words[++at];
    if (value === undefined) {
      const message = `No ${word.text} parameter specified for ${written.text}`;
      report.warning("keepalived/missing-value", word, message, `Write ${word.text} VALUE or leave it away`);
    } else if (!setOption(options, word.text, value, written, report)) {
      return undefined;
    }
  }
  return options;
}

/** False when the address cannot be set with it. */
function setOption(options: Options, name: string, value: Word, written: Word, report: Report): boolean {
  switch (name) {
    case "dev":
      options.interface = interfaceName(value, report);
      return options.interface !== undefined;
    case "label":
      if (value.text.length > LONGEST_LABEL) {
        const message = `Address label ${quote(value.text)} is longer than maximum length ${LONGEST_LABEL} - removing address`;
        report.warning("keepalived/bad-label", value, message, "Shorten the label");
        return false;
      }
      options.label = value.text;
      return true;
    case "scope": {
      const scope = SCOPES.has(value.text) ? (value.text as Scope) : scopeNumber(value.text);
      if (scope === undefined) {
        const message = `Invalid scope ${quote(value.text)} specified for ${written.text} - ignoring`;
        report.warning("keepalived/bad-scope", value, message, "One of global, site, link, host, nowhere or 0 to 255");
      } else options.scope = scope;
      return true;
    }
    default:
      options.broadcast = value;
      return true;
  }
}

const scopeNumber = (text: string): number | undefined =>
  /^[0-9]{1,3}$/.test(text) && Number(text) <= 255 ? Number(text) : undefined;

function broadcastOf(address: IpAddress, prefixLength: number, word: Word | undefined, report: Report) {
  if (word === undefined) return undefined;
  const sign = word.text === "+" || word.text === "-";
  if (!isIpv4(address) || (sign && prefixLength > 30)) {
    const message = `Address prefix length ${prefixLength} too long for broadcast`;
    report.warning("keepalived/bad-broadcast", word, message, "Leave the broadcast address away");
    return undefined;
  }
  if (sign) return hostBits(address, prefixLength, word.text === "+");
  const broadcast = parseIpv4(word.text);
  if (broadcast === undefined) {
    const message = `Invalid broadcast address ${quote(word.text)} - ignoring`;
    report.warning("keepalived/bad-broadcast", word, message, "Write an IPv4 address, + or -");
  }
  return broadcast;
}

/** `address` with all bits after `length` set, or cleared. */
function hostBits(address: Ipv4Address, length: number, set: boolean): Ipv4Address {
  const bytes = ipToBytes(address).map((byte, index) => {
    const network = (0xff00 >> Math.min(8, Math.max(0, length - index * 8))) & 0xff;
    return set ? byte | (~network & 0xff) : byte & network;
  });
  return ipv4FromBytes(bytes);
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** The IPv4 source address of adverts. */
export function readSourceAddress(word: Word, report: Report): Ipv4Address | undefined {
  const address = parseIp(word.text);
  if (address !== undefined && isIpv4(address)) return address;
  const problem = address === undefined ? "is no IP address" : "is IPv6, which is not implemented yet";
  report.warning("keepalived/bad-address", word, `${quote(word.text)} ${problem} - ignoring`, "Give an IPv4 address");
  return undefined;
}
