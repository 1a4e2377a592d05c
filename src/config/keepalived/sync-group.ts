/** `vrrp_sync_group NAME { … }`: instances that fail and recover together (keepalived.conf(5), "VRRP synchronization"). */

import type { SyncGroup, TrackInterface, TrackScript, VrrpInstance } from "../model/vrrp.ts";
import { type NotifyDraft, noNotify, notifyHandlers } from "./notify.ts";
import { quote, type Report } from "./report.ts";
import { type KnownScripts, readTrackInterfaces, readTrackScripts } from "./trackers.ts";
import type { Statement, Word } from "./tree.ts";
import { walk } from "./walk.ts";

export interface SyncGroupDraft {
  readonly name: Word;
  readonly members: Word[];
  readonly trackInterfaces: TrackInterface[];
  readonly trackScripts: TrackScript[];
  readonly notify: NotifyDraft;
  trackingWeight: boolean;
}

export function readSyncGroup(statement: Statement, name: Word, scripts: KnownScripts, report: Report): SyncGroupDraft {
  const draft: SyncGroupDraft = {
    name,
    members: [],
    trackInterfaces: [],
    trackScripts: [],
    notify: noNotify(),
    trackingWeight: false,
  };
  const handlers = {
    ...notifyHandlers(draft.notify, report),
    group: ({ block }: Statement) => {
      for (const { keyword, words } of block ?? []) draft.members.push(keyword, ...words);
    },
    track_interface: ({ block }: Statement) =>
      readTrackInterfaces(block ?? [], name.text, draft.trackInterfaces, report),
    track_script: ({ block }: Statement) =>
      readTrackScripts(block ?? [], name.text, scripts, draft.trackScripts, report),
    sync_group_tracking_weight: () => {
      draft.trackingWeight = true;
    },
  };
  walk(statement.block ?? [], "vrrp_sync_group", handlers, report);
  return draft;
}

/** `defined`: names of all instances of the file, unusable ones too. */
export function completeSyncGroups(
  drafts: readonly SyncGroupDraft[],
  defined: ReadonlySet<string>,
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
    const { trackInterfaces, trackScripts, notify, trackingWeight } = draft;
    groups.push({
      ...{ name, members, trackInterfaces, trackScripts, notify, trackingWeight },
      trackFiles: [],
      trackProcesses: [],
      trackProxies: [],
      trackServices: [],
      notifyPriorityChanges: false,
      smtpAlert: false,
    });
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

/** Members lose their weighted trackers unless the group says `sync_group_tracking_weight`. */
export function withoutWeightsInGroups(
  instances: readonly VrrpInstance[],
  groups: readonly SyncGroup[],
  nameOf: ReadonlyMap<string, Word>,
  report: Report,
): VrrpInstance[] {
  const bound = new Set(groups.filter((group) => !group.trackingWeight).flatMap((group) => group.members));
  return instances.map((instance) => {
    const at = nameOf.get(instance.name);
    if (!bound.has(instance.name) || at === undefined) return instance;
    const ignored = (kind: string, tracked: string) => {
      const message = `(${instance.name}) ignoring tracked ${kind} ${quote(tracked)} with weights due to SYNC group`;
      const help = "Leave the weight away, or add sync_group_tracking_weight to the group";
      report.warning("keepalived/weight-in-group", at, message, help);
      return false;
    };
    const trackScripts = instance.trackScripts.filter(
      ({ script, weight }) => weight === 0 || ignored("script", script),
    );
    const trackInterfaces = instance.trackInterfaces.filter(
      ({ interface: name, weight }) => weight === 0 || ignored("interface", name),
    );
    return { ...instance, trackScripts, trackInterfaces };
  });
}
