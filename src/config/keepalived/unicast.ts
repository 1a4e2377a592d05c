/** `unicast_peer { … }` and the source and destination of adverts (keepalived.conf(5), "VRRP instance(s)"). */

import { type IpAddress, isIpv4, parseIp } from "../../base/ip.ts";
import type { UnicastPeer } from "../model/vrrp.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import { integer } from "./values.ts";
import type { Handlers } from "./walk.ts";

/** What the lines say; whether it comes to unicast is decided when all are read. */
export interface UnicastDraft {
  /** Of the first address that the instance names, whatever for: the rest has to be of the same. */
  family: "ipv4" | "ipv6" | undefined;
  /** A word that only unicast needs. */
  meant: Word | undefined;
  readonly peers: UnicastPeer[];
  /** Words of `peers`, in the same order. */
  readonly peerWords: Word[];
  faultWithoutPeers: boolean;
  ttl: { readonly value: number; readonly at: Word } | undefined;
  checkSource: boolean | undefined;
  source: { readonly value: IpAddress; readonly at: Word } | undefined;
  trackSource: Word | undefined;
  group: { readonly value: IpAddress; readonly at: Word } | undefined;
}

export const noUnicast = (): UnicastDraft => ({
  ...{ family: undefined, meant: undefined, peers: [], peerWords: [], faultWithoutPeers: false, ttl: undefined },
  ...{ checkSource: undefined, source: undefined, trackSource: undefined, group: undefined },
});

const MOST_PEERS = 4_096;

export function unicastHandlers(draft: UnicastDraft, owner: string, report: Report): Handlers {
  const setSource = ({ words: [word] }: Statement) => {
    if (word === undefined) return;
    const address = readSource(word, draft, owner, report);
    if (address !== undefined) draft.source = { value: address, at: word };
  };
  return {
    mcast_src_ip: setSource,
    unicast_src_ip: (statement) => {
      draft.meant ??= statement.keyword;
      setSource(statement);
    },
    mcast_dst_ip: ({ words: [word] }) => {
      if (word === undefined) return;
      const address = readGroup(word, draft, owner, report);
      if (address !== undefined) draft.group = { value: address, at: word };
    },
    track_src_ip: ({ keyword }) => {
      draft.trackSource = keyword;
    },
    unicast_peer: ({ keyword, block }) => {
      draft.meant ??= keyword;
      for (const line of block ?? []) readPeer(line, draft, owner, report);
    },
    unicast_fault_no_peer: () => {
      draft.faultWithoutPeers = true;
    },
    unicast_ttl: ({ words: [word] }) => {
      const value = word && integer(word, 0, 255, report, "255");
      if (word !== undefined && value !== undefined) draft.ttl = { value, at: word };
    },
    check_unicast_src: ({ keyword }) => {
      draft.meant ??= keyword;
      draft.checkSource = true;
    },
    old_unicast_checksum: ({ keyword, words: [word] }) => {
      draft.meant ??= keyword;
      if (word?.text === "never") return;
      const message = "'old_unicast_checksum' is not implemented: adverts leave with the checksum of RFC 5798";
      const help = "Peers older than keepalived 1.3.6 drop them: take version 2 with those";
      report.warning("keepalived/not-implemented", keyword, message, help);
    },
  };
}

export const familyOf = (address: IpAddress): "ipv4" | "ipv6" => (isIpv4(address) ? "ipv4" : "ipv6");

/** The first address decides. */
export function joinsFamily(draft: UnicastDraft, address: IpAddress): boolean {
  draft.family ??= familyOf(address);
  return draft.family === familyOf(address);
}

function readSource(word: Word, draft: UnicastDraft, owner: string, report: Report): IpAddress | undefined {
  const address = parseIp(word.text);
  if (address !== undefined && joinsFamily(draft, address)) return address;
  const problem =
    address === undefined
      ? `malformed src address[${word.text}]. Skipping...`
      : `and src address[${word.text}] MUST be of the same family !!! Skipping...`;
  const message = `Configuration error: VRRP instance[${owner}] ${problem}`;
  const help = "Give an address of this host, of the family of the virtual addresses";
  report.warning(address === undefined ? "keepalived/bad-address" : "keepalived/mixed-families", word, message, help);
  return undefined;
}

function readGroup(word: Word, draft: UnicastDraft, owner: string, report: Report): IpAddress | undefined {
  const address = parseIp(word.text);
  if (address === undefined || !isMulticast(address)) {
    const message = `(${owner}) mcast_dst_ip ${word.text} not multicast. Skipping...`;
    report.warning(
      "keepalived/bad-address",
      word,
      message,
      "Give an address from 224.0.0.0 to 239.255.255.255, or ff00::/8",
    );
    return undefined;
  }
  if (joinsFamily(draft, address)) return address;
  const message = `(${owner}) mcast dest address ${word.text} MUST match VRRP instance family. Skipping...`;
  report.warning("keepalived/mixed-families", word, message, "Give a group of the family of the virtual addresses");
  return undefined;
}

export const isMulticast = (address: IpAddress): boolean =>
  isIpv4(address) ? /^(22[4-9]|23[0-9])\./.test(address) : /^ff/.test(address);

function readPeer({ keyword, words }: Statement, draft: UnicastDraft, owner: string, report: Report): void {
  const address = parseIp(keyword.text);
  if (address === undefined || !joinsFamily(draft, address)) {
    const problem =
      address === undefined
        ? `malformed unicast peer address[${keyword.text}]. Skipping...`
        : `and unicast peer address[${keyword.text}] MUST be of the same family !!! Skipping...`;
    const message = `Configuration error: VRRP instance[${owner}] ${problem}`;
    const code = address === undefined ? "keepalived/bad-address" : "keepalived/mixed-families";
    report.warning(code, keyword, message, "One address a line, of the family of the virtual addresses");
    return;
  }
  const peer = { address, minTtl: 0, maxTtl: 255 };
  for (let at = 0; at < words.length; at += 2) {
    const option = words[at] ?? keyword;
    const value = words[at + 1];
    if (value === undefined) {
      const help = parseIp(option.text) === undefined ? "Write ADDRESS [min_ttl N] [max_ttl N]" : "One address a line";
      report.warning("keepalived/missing-value", option, `(${owner}) ${option.text} is missing a value`, help);
    } else if (option.text === "min_ttl" || option.text === "max_ttl") {
      const ttl = integer(value, 0, 255, report);
      if (ttl === undefined) continue;
      peer[option.text === "min_ttl" ? "minTtl" : "maxTtl"] = ttl;
      draft.checkSource = true;
    } else {
      const message = `(${owner}) unknown unicast_peer option ${quote(option.text)}`;
      report.warning("keepalived/unknown-option", option, message, "Write ADDRESS [min_ttl N] [max_ttl N]");
    }
  }
  if (peer.minTtl > peer.maxTtl) {
    const message = `(${owner}) min_ttl ${peer.minTtl} > max_ttl ${peer.maxTtl} - all packets will be discarded`;
    report.warning("keepalived/out-of-range", keyword, message, "Exchange them");
  }
  if (draft.peers.some((one) => one.address === address)) {
    const message = `(${owner}) peer ${quote(address)} is given twice: it would get every advert twice`;
    report.warning("keepalived/duplicate-address", keyword, message, "Name it once");
    return;
  }
  if (draft.peers.length >= MOST_PEERS) return;
  draft.peers.push(peer);
  draft.peerWords.push(keyword);
}

/** Undefined: adverts are multicast. */
export function completePeers(draft: UnicastDraft, name: Word, report: Report): readonly UnicastPeer[] | undefined {
  const owner = name.text;
  const { peers, meant, faultWithoutPeers } = draft;
  if (peers.length > 0) {
    const own = draft.peers.findIndex(({ address }) => address === draft.source?.value);
    const at = draft.peerWords[own];
    if (at !== undefined) {
      const message = `(${owner}) is its own peer: ${at.text} is its source address too`;
      report.warning("keepalived/own-peer", at, message, "Name the other routers only");
    }
    if (draft.group !== undefined) {
      const message = `(${owner}) multicast destination specified with unicast - ignoring`;
      report.warning("keepalived/group-with-unicast", draft.group.at, message, "Remove mcast_dst_ip, or the peers");
    }
    return peers;
  }
  if (draft.ttl !== undefined) {
    const message = `(${owner}): Cannot use unicast_ttl without unicast peers - resetting`;
    report.warning("keepalived/unicast-without-peers", draft.ttl.at, message, "Add unicast_peer { ADDRESS }");
  }
  if (faultWithoutPeers) return [];
  if (meant !== undefined) {
    const message = `(${owner}) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration.`;
    report.warning("keepalived/unicast-without-peers", meant, message, "Write mcast_src_ip for the source address");
  }
  return undefined;
}
