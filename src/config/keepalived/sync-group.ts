/** `vrrp_sync_group NAME { … }`: instances that fail and recover together (keepalived.conf(5), "VRRP synchronization"). */

import type { SyncGroup, VrrpInstance } from "../model/vrrp.ts";
import { type NotifyDraft, noNotify, notifyHandlers } from "./notify.ts";
import { quote, type Report } from "./report.ts";
import { type KnownTracked, noTrackers, type TrackersDraft, trackerHandlers } from "./trackers.ts";
import type { Statement, Word } from "./tree.ts";
import { flag } from "./values.ts";
import { walk } from "./walk.ts";

export interface SyncGroupDraft {
  readonly name: Word;
  readonly members: Word[];
  readonly trackers: TrackersDraft;
  readonly notify: NotifyDraft;
  trackingWeight: boolean;
  notifyPriorityChanges: boolean | undefined;
  smtpAlert: boolean | undefined;
}

export function readSyncGroup(statement: Statement, name: Word, known: KnownTracked, report: Report): SyncGroupDraft {
  const draft: SyncGroupDraft = {
    name,
    members: [],
    trackers: noTrackers(),
    notify: noNotify(),
    trackingWeight: false,
    notifyPriorityChanges: undefined,
    smtpAlert: undefined,
  };
  const handlers = {
    ...notifyHandlers(draft.notify, name.text, report),
    ...trackerHandlers(draft.trackers, name.text, known, report),
    group: ({ block }: Statement) => {
      for (const { keyword, words } of block ?? []) draft.members.push(keyword, ...words);
    },
    sync_group_tracking_weight: () => {
      draft.trackingWeight = true;
    },
    notify_priority_changes: ({ words: [word] }: Statement) => {
      draft.notifyPriorityChanges = flag(word, report) ?? draft.notifyPriorityChanges;
    },
    smtp_alert: ({ words: [word] }: Statement) => {
      draft.smtpAlert = flag(word, report) ?? draft.smtpAlert;
    },
  };
  walk(statement.block ?? [], "vrrp_sync_group", handlers, report);
  return draft;
}

/** `defined`: names of all instances of the file, unusable ones too. */
export function completeSyncGroups(
  drafts: readonly SyncGroupDraft[],
  defined: ReadonlySet<string>,
  general: { readonly notifyPriorityChanges: boolean; readonly smtpAlert: boolean },
  report: Report,
): SyncGroup[] {
  const groupOf = new Map<string, string>();
  const groups: SyncGroup[] = [];
  for (const draft of drafts) {
    const name = draft.name.text;
    const members = draft.members
      .filter((member) => accepts(member, name, defined, groupOf, report))
      .map(({ text }) => text);
    if (members.length === 0) {
      const problem = draft.members.length === 0 ? "has no virtual router(s)" : "has no matching virtual router";
      const help = "List instances in group { … }, one a line";
      report.warning("keepalived/empty-sync-group", draft.name, `Sync group ${quote(name)} ${problem}. removing`, help);
      continue;
    }
    if (members.length === 1) {
      const message = `Sync group ${quote(name)} has only 1 virtual router - this probably isn't what you want`;
      report.warning("keepalived/single-member", draft.name, message, "List the instances that must move together");
    }
    const { notify, trackingWeight } = draft;
    const { proxyNames: _, serviceNames: __, ...trackers } = draft.trackers;
    const notifyPriorityChanges = draft.notifyPriorityChanges ?? general.notifyPriorityChanges;
    const smtpAlert = draft.smtpAlert ?? general.smtpAlert;
    groups.push({ name, members, ...trackers, notify, trackingWeight, notifyPriorityChanges, smtpAlert });
  }
  return groups;
}

function accepts(
  member: Word,
  group: string,
  defined: ReadonlySet<string>,
  groupOf: Map<string, string>,
  report: Report,
): boolean {
  if (!defined.has(member.text)) {
    const message = `Virtual router ${quote(member.text)} specified in sync group ${quote(group)} doesn't exist - ignoring`;
    report.warning("keepalived/unknown-member", member, message, "Name a vrrp_instance");
    return false;
  }
  if (groupOf.has(member.text)) {
    const message = `Virtual router ${quote(member.text)} cannot exist in more than one sync group; ignoring ${quote(group)}`;
    report.warning("keepalived/member-of-two", member, message, "Name it once, in one group");
    return false;
  }
  groupOf.set(member.text, group);
  return true;
}

/** Members lose their weighted trackers unless the group says `sync_group_tracking_weight`; it tells of their priorities too. */
export function withoutWeightsInGroups(
  instances: readonly VrrpInstance[],
  groups: readonly SyncGroup[],
  nameOf: ReadonlyMap<string, Word>,
  report: Report,
): VrrpInstance[] {
  const bound = new Set(groups.filter((group) => !group.trackingWeight).flatMap((group) => group.members));
  return instances.map((instance) => {
    const at = nameOf.get(instance.name);
    const told = groups.some((group) => group.notifyPriorityChanges && group.members.includes(instance.name));
    const member = told ? { ...instance, notifyPriorityChanges: true } : instance;
    if (!bound.has(instance.name) || at === undefined) return member;
    const ignored = (kind: string, tracked: string) => {
      const message = `(${instance.name}) ignoring tracked ${kind} ${quote(tracked)} with weights due to SYNC group`;
      const help = "Leave the weight away, or add sync_group_tracking_weight to the group";
      report.warning("keepalived/weight-in-group", at, message, help);
      return false;
    };
    const plain = <T extends { readonly weight: number }>(
      kind: string,
      list: readonly T[],
      nameOf: (one: T) => string,
    ) => list.filter((one) => one.weight === 0 || ignored(kind, nameOf(one)));
    return {
      ...member,
      trackScripts: plain("script", instance.trackScripts, ({ script }) => script),
      trackInterfaces: plain("interface", instance.trackInterfaces, (one) => one.interface),
      trackFiles: plain("file", instance.trackFiles, ({ name }) => name),
      trackProcesses: plain("process", instance.trackProcesses, ({ name }) => name),
      trackProxies: plain("proxy", instance.trackProxies, ({ name }) => name),
      trackServices: plain("service", instance.trackServices, ({ name }) => name),
    };
  });
}
