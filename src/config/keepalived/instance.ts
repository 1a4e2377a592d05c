/**
 * `vrrp_instance NAME { … }`: what its lines say (keepalived.conf(5), "VRRP instance(s)"). What follows from several of
 * them together is `instance-rules.ts`.
 */

import type { Duration } from "../../base/time.ts";
import type { VirtualRoute, VirtualRule } from "../model/route.ts";
import type { VrrpInstance } from "../model/vrrp.ts";
import { type AddressLine, readAddress } from "./addresses.ts";
import { type GarpDraft, garpHandlers } from "./garp.ts";
import { type InstanceDefaults, warnOfNoOffSwitch } from "./global-defs.ts";
import type { IprouteNames } from "./iproute-names.ts";
import { type NotifyDraft, noNotify, notifyHandlers } from "./notify.ts";
import { quote, type Report } from "./report.ts";
import { readRoute } from "./routes.ts";
import type { RuleReader } from "./rules.ts";
import { type KnownTracked, noTrackers, type TrackersDraft, trackerHandlers } from "./trackers.ts";
import type { Statement, Word } from "./tree.ts";
import { joinsFamily, noUnicast, type UnicastDraft, unicastHandlers } from "./unicast.ts";
import { flag, integer, interfaceName, timer } from "./values.ts";
import { noVirtualMac, type VirtualMacDraft, virtualMacHandlers } from "./virtual-mac.ts";
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
  readonly routes: VirtualRoute[];
  readonly rules: VirtualRule[];
  promoteSecondaries: boolean;
  readonly unicast: UnicastDraft;
  readonly vmac: VirtualMacDraft;
  checksumAsV2: Given<boolean> | undefined;
  strict: boolean | undefined;
  accept: Given<boolean> | undefined;
  nopreempt: Word | undefined;
  preemptDelay: Given<Duration> | undefined;
  readonly trackers: TrackersDraft;
  ignoreOwnLink: boolean;
  readonly garp: GarpDraft;
  lowerPrioNoAdvert: Given<boolean> | undefined;
  higherPrioSendAdvert: Given<boolean> | undefined;
  downTimerAdverts: Given<number> | undefined;
  skipCheckAdvAddr: boolean | undefined;
  ownerIgnoreAdverts: boolean | undefined;
  timerExpiredBackup: number | undefined;
  onVipLoss: VrrpInstance["onVipLoss"];
  notifyPriorityChanges: boolean | undefined;
  smtpAlert: boolean | undefined;
  readonly notify: NotifyDraft;
}

/** What an instance may name. */
export interface InstanceContext {
  readonly defaults: InstanceDefaults;
  readonly tracked: KnownTracked;
  readonly names: IprouteNames;
  readonly rules: RuleReader;
}

export function readInstance(
  statement: Statement,
  name: Word,
  context: InstanceContext,
  report: Report,
): InstanceDraft {
  const draft: InstanceDraft = {
    name,
    ...{ state: undefined, interface: undefined, virtualRouterId: undefined, priority: undefined, version: undefined },
    ...{ advertInterval: undefined, authentication: undefined, authType: undefined, authPass: undefined },
    ...{ addresses: [], excluded: [], noVirtualAddress: false, routes: [], rules: [], promoteSecondaries: false },
    ...{ checksumAsV2: undefined, strict: undefined, accept: undefined, nopreempt: undefined, preemptDelay: undefined },
    ...{ ignoreOwnLink: false, garp: {}, lowerPrioNoAdvert: undefined, higherPrioSendAdvert: undefined },
    ...{ downTimerAdverts: undefined, skipCheckAdvAddr: undefined, ownerIgnoreAdverts: undefined },
    ...{ timerExpiredBackup: undefined, notifyPriorityChanges: undefined, smtpAlert: undefined },
    onVipLoss: "failover",
    unicast: noUnicast(),
    vmac: noVirtualMac(),
    trackers: noTrackers(),
    notify: noNotify(),
  };
  const handlers = {
    ...electionHandlers(draft, report),
    ...addressHandlers(draft, context, report),
    ...unicastHandlers(draft.unicast, name.text, report),
    ...virtualMacHandlers(draft.vmac, report),
    ...authenticationHandlers(draft, report),
    ...trackerHandlers(draft.trackers, name.text, context.tracked, report),
    ...behaviourHandlers(draft, report),
    ...garpHandlers("garp_", draft.garp, report),
    ...notifyHandlers(draft.notify, name.text, report),
  };
  walk(statement.block ?? [], "vrrp_instance", handlers, report);
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
      const value = word && integer(word, 1, 100, report, "3");
      if (word && value !== undefined) draft.downTimerAdverts = { value, at: word };
    },
  };
}

function addressHandlers(draft: InstanceDraft, { names, rules }: InstanceContext, report: Report): Handlers {
  return {
    interface: ({ words: [word] }) => {
      if (word !== undefined) draft.interface = interfaceName(word, report);
    },
    virtual_ipaddress: ({ block }) => {
      for (const line of block ?? []) {
        const address = readAddress(line, report);
        if (address !== undefined && isOfFamily(address, draft, report)) draft.addresses.push(address);
      }
    },
    virtual_ipaddress_excluded: ({ block }) => {
      for (const line of block ?? []) {
        const address = readAddress(line, report);
        if (address !== undefined) draft.excluded.push(address);
      }
    },
    no_virtual_ipaddress: () => {
      draft.noVirtualAddress = true;
    },
    virtual_routes: ({ block }) => {
      for (const line of block ?? []) {
        const route = readRoute(line, { names, kind: "virtual", report });
        if (route !== undefined) draft.routes.push(route);
      }
    },
    virtual_rules: ({ block }) => {
      for (const line of block ?? []) {
        const rule = rules.read(line);
        if (rule !== undefined) draft.rules.push(rule);
      }
    },
    promote_secondaries: () => {
      draft.promoteSecondaries = true;
    },
    native_ipv6: ({ keyword }) => {
      draft.unicast.family ??= "ipv6";
      if (draft.unicast.family === "ipv6") return;
      const message = `(${draft.name.text}) Cannot specify native_ipv6 with IPv4 addresses`;
      report.warning("keepalived/mixed-families", keyword, message, "Remove it: the addresses say it");
    },
  };
}

/** An advert carries one family. */
function isOfFamily({ address, written }: AddressLine, draft: InstanceDraft, report: Report): boolean {
  if (joinsFamily(draft.unicast, address)) return true;
  const message = `(${draft.name.text}): address family must match VRRP instance [${written.text}] - ignoring`;
  const help = "Put it into virtual_ipaddress_excluded or another instance";
  report.warning("keepalived/mixed-families", written, message, help);
  return false;
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

function behaviourHandlers(draft: InstanceDraft, report: Report): Handlers {
  const switched = (set: (value: Given<boolean>) => void) => {
    return ({ keyword, words: [word] }: Statement) => {
      const value = flag(word, report);
      if (value !== undefined) set({ value, at: word ?? keyword });
    };
  };
  const stallKeyword = ({ words: [word] }: Statement) => {
    draft.timerExpiredBackup = (word === undefined ? 254 : integer(word, 1, 254, report, "254")) ?? 254;
  };
  return {
    dont_track_primary: () => {
      draft.ignoreOwnLink = true;
    },
    lower_prio_no_advert: switched((given) => {
      draft.lowerPrioNoAdvert = given;
    }),
    higher_prio_send_advert: switched((given) => {
      draft.higherPrioSendAdvert = given;
    }),
    skip_check_adv_addr: (statement) => {
      draft.skipCheckAdvAddr = true;
      warnOfNoOffSwitch(statement, report);
    },
    owner_ignore_adverts: switched(({ value }) => {
      draft.ownerIgnoreAdverts = value;
    }),
    timer_expired_backup: stallKeyword,
    thread_timer_expired: stallKeyword,
    accept: ({ keyword }) => {
      draft.accept = { value: true, at: keyword };
    },
    no_accept: ({ keyword }) => {
      draft.accept = { value: false, at: keyword };
    },
    strict_mode: switched(({ value }) => {
      draft.strict = value;
    }),
    v3_checksum_as_v2: switched((given) => {
      draft.checksumAsV2 = given;
    }),
    notify_priority_changes: switched(({ value }) => {
      draft.notifyPriorityChanges = value;
    }),
    smtp_alert: switched(({ value }) => {
      draft.smtpAlert = value;
    }),
    on_vip_loss: ({ words: [word] }) => {
      if (word === undefined) return;
      if (word.text === "failover" || word.text === "restore") {
        draft.onVipLoss = word.text;
        return;
      }
      const message = `Unknown on_vip_loss ${quote(word.text)}`;
      report.warning("keepalived/unknown-option", word, message, "Write failover or restore");
    },
  };
}
