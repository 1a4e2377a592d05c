/**
 * `vrrp_instance NAME { … }`: what its lines say (keepalived.conf(5), "VRRP instance(s)"). What follows from several of
 * them together is `instance-rules.ts`.
 */

import type { Ipv4Address } from "../../base/ip.ts";
import type { Duration } from "../../base/time.ts";
import type { TrackInterface, TrackScript } from "../model/vrrp.ts";
import { type AddressLine, readAddress, readSourceAddress } from "./addresses.ts";
import { type GarpDraft, garpHandlers } from "./garp.ts";
import { type InstanceDefaults, warnOfNoOffSwitch } from "./global-defs.ts";
import { type NotifyDraft, noNotify, notifyHandlers } from "./notify.ts";
import { quote, type Report } from "./report.ts";
import { type KnownScripts, readTrackInterfaces, readTrackScripts } from "./trackers.ts";
import type { Statement, Word } from "./tree.ts";
import { flag, integer, interfaceName, timer } from "./values.ts";
import { type Handlers, walk } from "./walk.ts";

/** A value with the words that gave it. */
export interface Given<T> {
  readonly value: T;
  readonly at: Word;
}

export interface InstanceDraft {
  readonly name: Word;
  state: Given<"MASTER" | "BACKUP"> | undefined;
  interface: string | undefined;
  virtualRouterId: Given<number> | undefined;
  priority: Given<number> | undefined;
  version: Given<2 | 3> | undefined;
  advertInterval: Given<Duration> | undefined;
  authentication: Word | undefined;
  authType: Given<"PASS" | "AH"> | undefined;
  authPass: Word | undefined;
  readonly addresses: AddressLine[];
  readonly excluded: AddressLine[];
  noVirtualAddress: boolean;
  sourceAddress: Ipv4Address | undefined;
  /** `unicast_src_ip` or an empty `unicast_peer`: unicast was meant. */
  unicast: Word | undefined;
  unicastPeers: boolean;
  nopreempt: Word | undefined;
  preemptDelay: Given<Duration> | undefined;
  readonly trackInterfaces: TrackInterface[];
  readonly trackScripts: TrackScript[];
  ignoreOwnLink: boolean;
  readonly garp: GarpDraft;
  lowerPrioNoAdvert: boolean;
  higherPrioSendAdvert: boolean;
  downTimerAdverts: number;
  skipCheckAdvAddr: boolean | undefined;
  readonly notify: NotifyDraft;
}

export function readInstance(
  statement: Statement,
  name: Word,
  defaults: InstanceDefaults,
  scripts: KnownScripts,
  report: Report,
): InstanceDraft {
  const draft: InstanceDraft = {
    name,
    state: undefined,
    interface: undefined,
    virtualRouterId: undefined,
    priority: undefined,
    version: undefined,
    advertInterval: undefined,
    authentication: undefined,
    authType: undefined,
    authPass: undefined,
    addresses: [],
    excluded: [],
    noVirtualAddress: false,
    sourceAddress: undefined,
    unicast: undefined,
    unicastPeers: false,
    nopreempt: undefined,
    preemptDelay: undefined,
    trackInterfaces: [],
    trackScripts: [],
    ignoreOwnLink: false,
    garp: {},
    lowerPrioNoAdvert: defaults.lowerPrioNoAdvert,
    higherPrioSendAdvert: defaults.higherPrioSendAdvert,
    downTimerAdverts: defaults.downTimerAdverts,
    skipCheckAdvAddr: undefined,
    notify: noNotify(),
  };
  const handlers = {
    ...electionHandlers(draft, report),
    ...addressHandlers(draft, report),
    ...authenticationHandlers(draft, report),
    ...behaviourHandlers(draft, scripts, report),
    ...garpHandlers("garp_", draft.garp, report),
    ...notifyHandlers(draft.notify, report),
  };
  walk(statement.block ?? [], "vrrp_instance", handlers, report);
  const peers = (statement.block ?? []).find((one) => one.keyword.text === "unicast_peer");
  draft.unicastPeers = (peers?.block?.length ?? 0) > 0;
  if (peers !== undefined) draft.unicast = peers.keyword;
  return draft;
}

function electionHandlers(draft: InstanceDraft, report: Report): Handlers {
  const owner = draft.name.text;
  return {
    state: ({ words: [word] }) => {
      if (word === undefined) return;
      if (word.text === "MASTER" || word.text === "BACKUP") {
        draft.state = { value: word.text, at: word };
        return;
      }
      const upper = word.text.toUpperCase();
      const help = `Write ${upper === "MASTER" || upper === "BACKUP" ? upper : "MASTER or BACKUP"}`;
      const message = `(${owner}) unknown state ${quote(word.text)}, defaulting to BACKUP`;
      report.warning("keepalived/unknown-state", word, message, help);
    },
    virtual_router_id: ({ words: [word] }) => {
      const value = word && integer(word, 1, 255, report);
      if (word && value !== undefined) draft.virtualRouterId = { value, at: word };
    },
    priority: ({ words: [word] }) => {
      const value = word && integer(word, 1, 255, report, "what held without the line");
      if (word && value !== undefined) draft.priority = { value, at: word };
    },
    version: ({ words: [word] }) => {
      const value = word && integer(word, 2, 3, report, "that of vrrp_version");
      if (word && (value === 2 || value === 3)) draft.version = { value, at: word };
    },
    advert_int: ({ words: [word] }) => {
      const value = word && timer(word, 0.01, 255, report, "1");
      if (word && value !== undefined) draft.advertInterval = { value, at: word };
    },
    nopreempt: ({ keyword }) => {
      draft.nopreempt = keyword;
    },
    preempt: () => {
      draft.nopreempt = undefined;
    },
    preempt_delay: ({ words: [word] }) => {
      const value = word && timer(word, 0, 1_000, report, "no delay");
      if (word && value !== undefined) draft.preemptDelay = { value, at: word };
    },
    down_timer_adverts: ({ words: [word] }) => {
      draft.downTimerAdverts = (word && integer(word, 1, 100, report, "3")) ?? draft.downTimerAdverts;
    },
  };
}

function addressHandlers(draft: InstanceDraft, report: Report): Handlers {
  const read = (into: AddressLine[]) => (statement: Statement) => {
    for (const line of statement.block ?? []) {
      const address = readAddress(line, report);
      if (address !== undefined) into.push(address);
    }
  };
  const setSource = ({ words: [word] }: Statement) => {
    if (word !== undefined) draft.sourceAddress = readSourceAddress(word, report) ?? draft.sourceAddress;
  };
  return {
    interface: ({ words: [word] }) => {
      if (word !== undefined) draft.interface = interfaceName(word, report);
    },
    virtual_ipaddress: read(draft.addresses),
    virtual_ipaddress_excluded: read(draft.excluded),
    no_virtual_ipaddress: () => {
      draft.noVirtualAddress = true;
    },
    mcast_src_ip: setSource,
    unicast_src_ip: (statement) => {
      draft.unicast ??= statement.keyword;
      setSource(statement);
    },
  };
}

function authenticationHandlers(draft: InstanceDraft, report: Report): Handlers {
  const inside: Handlers = {
    auth_type: ({ words: [word] }) => {
      if (word === undefined) return;
      if (word.text === "PASS" || word.text === "AH") {
        draft.authType = { value: word.text, at: word };
        return;
      }
      const message = `(${draft.name.text}) unknown authentication type ${quote(word.text)}`;
      report.warning("keepalived/unknown-auth-type", word, message, "Write PASS");
    },
    auth_pass: ({ words: [word] }) => {
      draft.authPass = word;
    },
  };
  return {
    authentication: ({ keyword, block }) => {
      draft.authentication = keyword;
      walk(block ?? [], "authentication", inside, report);
    },
  };
}

function behaviourHandlers(draft: InstanceDraft, scripts: KnownScripts, report: Report): Handlers {
  const owner = draft.name.text;
  return {
    track_interface: ({ block }) => readTrackInterfaces(block ?? [], owner, draft.trackInterfaces, report),
    track_script: ({ block }) => readTrackScripts(block ?? [], owner, scripts, draft.trackScripts, report),
    dont_track_primary: () => {
      draft.ignoreOwnLink = true;
    },
    lower_prio_no_advert: ({ words }) => {
      draft.lowerPrioNoAdvert = flag(words[0], report) ?? draft.lowerPrioNoAdvert;
    },
    higher_prio_send_advert: ({ words }) => {
      draft.higherPrioSendAdvert = flag(words[0], report) ?? draft.higherPrioSendAdvert;
    },
    skip_check_adv_addr: (statement) => {
      draft.skipCheckAdvAddr = true;
      warnOfNoOffSwitch(statement, report);
    },
    accept: () => {},
  };
}
