/** Lines of `virtual_ipaddress`, `virtual_ipaddress_excluded` and `static_ipaddress` (keepalived.conf(5)). */

import {
  type IpAddress,
  type Ipv4Address,
  ipToBytes,
  ipv4FromBytes,
  isIpv4,
  parseIp,
  parseIpv4,
} from "../../base/ip.ts";
import { seconds } from "../../base/time.ts";
import type { VirtualAddress } from "../model/vrrp.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import { integer, interfaceName } from "./values.ts";

/** An address whose interface may still be that of its instance. */
export type AddressLine = Omit<VirtualAddress, "interface"> & {
  readonly interface: string | undefined;
  readonly written: Word;
};

type Scope = VirtualAddress["scope"];

/** rt_scopes of iproute2. */
const SCOPES: ReadonlySet<string> = new Set(["global", "site", "link", "host", "nowhere"]);
const LONGEST_LABEL = 15;
/** All ones stand for ever. */
const LONGEST_LIFETIME_SECONDS = 4_294_967_294;
type Flag = VirtualAddress["flags"][number];
const FLAGS: ReadonlySet<string> = new Set(["home", "mngtmpaddr", "noprefixroute", "autojoin"]);
const isFlag = (text: string): text is Flag => FLAGS.has(text);
const WITH_VALUE: ReadonlySet<string> = new Set([
  ...["dev", "brd", "broadcast", "label", "scope", "peer", "preferred_lft", "track_group"],
]);

interface Options {
  interface: string | undefined;
  broadcast: Word | undefined;
  label: Word | undefined;
  scope: { readonly value: Scope; readonly at: Word } | undefined;
  peer: Word | undefined;
  readonly flags: Flag[];
  nodad: boolean;
  preferredLifetime: VirtualAddress["preferredLifetime"];
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
  const four = isIpv4(address);
  if (options.broadcast !== undefined && !four) {
    const message = `VRRP is trying to assign a broadcast ${options.broadcast.text} to the IPv6 address ${address} - skipping it`;
    report.warning("keepalived/bad-broadcast", options.broadcast, message, "IPv6 has no broadcast addresses");
    return undefined;
  }
  const peer = peerOf(address, options.peer, report);
  const prefixLength = peer === undefined ? prefixLengthOf(address, mask, written, report) : longestOf(address);
  if (peer !== undefined && mask !== undefined) {
    const message = "Cannot specify address prefix when specifying peer address - ignoring";
    report.warning("keepalived/bad-address", written, message, "Write the address without its length");
  }
  const broadcast = broadcastOf(address, prefixLength, options.broadcast, report);
  const onlyFour = (word: Word | undefined, what: string) => {
    if (word === undefined || four) return four;
    const message = `Cannot specify ${what} for IPv6 addresses (${address}) - ignoring ${what}`;
    report.warning("keepalived/not-for-ipv6", word, message, `Remove the ${what}`);
    return false;
  };
  const label = onlyFour(options.label, "label") ? options.label?.text : undefined;
  const scope = onlyFour(options.scope?.at, "scope") ? (options.scope?.value ?? "global") : "global";
  const { interface: dev, flags, nodad, preferredLifetime, noTrack } = options;
  return {
    ...{
      address,
      prefixLength,
      interface: dev,
      broadcast,
      label,
      scope,
      peer,
      flags,
      nodad,
      preferredLifetime,
      noTrack,
    },
    written,
  };
}

const longestOf = (address: IpAddress): 32 | 128 => (isIpv4(address) ? 32 : 128);

function peerOf(address: IpAddress, word: Word | undefined, report: Report): IpAddress | undefined {
  if (word === undefined) return undefined;
  const peer = parseIp(word.text);
  if (peer !== undefined && isIpv4(peer) === isIpv4(address)) return peer;
  const message =
    peer === undefined
      ? `Invalid peer address ${quote(word.text)}`
      : `Peer address ${quote(word.text)} does not match address family`;
  report.warning("keepalived/bad-address", word, message, "The address is set without peer");
  return undefined;
}

function prefixLengthOf(address: IpAddress, mask: string | undefined, written: Word, report: Report): number {
  const longest = longestOf(address);
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
    ...{ interface: undefined, broadcast: undefined, label: undefined, scope: undefined, peer: undefined },
    ...{ flags: [], nodad: false, preferredLifetime: undefined, noTrack: false },
  };
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? written;
    if (setSwitch(options, word, report)) continue;
    if (!WITH_VALUE.has(word.text)) {
      const message = `Unknown configuration entry ${quote(word.text)} for ip address - ignoring`;
      const isAddress = parseIp(word.text.split("/")[0] ?? "") !== undefined;
      report.warning("keepalived/unknown-option", word, message, isAddress ? "One address a line" : undefined);
      continue;
    }
    const value = words[++at];
    if (value === undefined) {
      const message = `No ${word.text} parameter specified for ${written.text}`;
      report.warning("keepalived/missing-value", word, message, `Write ${word.text} VALUE or leave it away`);
    } else if (!setOption(options, word, value, written, report)) {
      return undefined;
    }
  }
  return options;
}

/** False when `word` is none of the words that stand alone. */
function setSwitch(options: Options, word: Word, report: Report): boolean {
  if (isFlag(word.text)) {
    if (!options.flags.includes(word.text)) options.flags.push(word.text);
    return true;
  }
  switch (word.text) {
    case "no_track":
      options.noTrack = true;
      return true;
    case "-nodad":
      options.nodad = true;
      return true;
    case "use_vmac": {
      const message = "'use_vmac' of an address is not implemented yet";
      report.warning("keepalived/not-implemented", word, message, "The address is set on the interface that it names");
      return true;
    }
    default:
      return false;
  }
}

/** False when the address cannot be set with it. */
function setOption(options: Options, name: Word, value: Word, written: Word, report: Report): boolean {
  switch (name.text) {
    case "dev":
      options.interface = interfaceName(value, report);
      return options.interface !== undefined;
    case "label":
      if (value.text.length > LONGEST_LABEL) {
        const message = `Address label ${quote(value.text)} is longer than maximum length ${LONGEST_LABEL} - removing address`;
        report.warning("keepalived/bad-label", value, message, "Shorten the label");
        return false;
      }
      options.label = value;
      return true;
    case "scope": {
      const scope = SCOPES.has(value.text) ? (value.text as Scope) : scopeNumber(value.text);
      if (scope === undefined) {
        const message = `Invalid scope ${quote(value.text)} specified for ${written.text} - ignoring`;
        report.warning("keepalived/bad-scope", value, message, "One of global, site, link, host, nowhere or 0 to 255");
      } else options.scope = { value: scope, at: value };
      return true;
    }
    case "peer":
      options.peer = value;
      return true;
    case "preferred_lft": {
      const lifetime = value.text === "forever" ? "forever" : integer(value, 0, LONGEST_LIFETIME_SECONDS, report);
      if (lifetime !== undefined) options.preferredLifetime = lifetime === "forever" ? lifetime : seconds(lifetime);
      return true;
    }
    case "track_group": {
      const message = "'track_group' is not implemented yet";
      report.warning("keepalived/not-implemented", name, message, "Losing the address changes no state");
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
