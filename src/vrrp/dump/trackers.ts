/** Sync groups and what is tracked, in keepalived's `.data`: scripts, files, processes, and who tracks each. */

import type { SyncGroup, Trackers, VrrpInstance } from "../../config/model/vrrp.ts";
import type { Dumped } from "./facts.ts";
import { commandText, notifyCommands, ownedCommandText, shownState } from "./words.ts";

interface Weighted {
  readonly weight: number;
  readonly reverse: boolean;
}

export const weightText = ({ weight, reverse }: Weighted): string => `weight ${weight}${reverse ? " reverse" : ""}`;

export const list = <T>(title: string, items: readonly T[], show: (item: T) => string): string[] =>
  items.length === 0 ? [] : [`   ${title} :`, ...items.map((item) => `     ${show(item)}`)];

/** keepalived calls processes `process` in a group. */
export const trackerLines = (trackers: Trackers, processes: string): string[] => [
  ...list("Tracked interfaces", trackers.trackInterfaces, (one) => `${one.interface} ${weightText(one)}`),
  ...list("Tracked scripts", trackers.trackScripts, (one) => `${one.script} ${weightText(one)}`),
  ...list("Tracked files", trackers.trackFiles, (one) => `${one.name}, ${weightText(one)}`),
  ...list(processes, trackers.trackProcesses, (one) => `${one.name}, ${weightText(one)}`),
];

export function groupLines({ configuration, snapshot, facts }: Dumped): string[] {
  return configuration.syncGroups.flatMap((group) => {
    const members = snapshot.instances.filter(({ name }) => group.members.includes(name));
    const state = snapshot.groups.find(({ name }) => name === group.name)?.state ?? "INIT";
    const count = (wanted: string) => members.filter((one) => one.state === wanted).length;
    return [
      ` VRRP Sync Group = ${group.name}, ${shownState(state)}`,
      `   Num member fault ${count("FAULT")}, num member init ${count("INIT")}`,
      "   VRRP member instances :",
      ...group.members.map((name) => `     ${name}`),
      ...(group.trackingWeight ? ["   sync group tracking weight set"] : []),
      `   Using smtp notification = ${group.smtpAlert ? "yes" : "no"}`,
      ...trackerLines(group, "Tracked process"),
      ...notifyCommands(group.notify).map(
        ([kind, , command]) => `   ${kind} script = ${ownedCommandText(facts, command)}`,
      ),
    ];
  });
}

/** First those that name it themselves, then the members of groups that do. */
export function trackingInstances(
  { configuration }: Dumped,
  ofInstance: (instance: VrrpInstance) => Weighted | undefined,
  ofGroup: (group: SyncGroup) => Weighted | undefined,
): [instance: string, tracker: Weighted][] {
  const found = new Map<string, Weighted>();
  for (const instance of configuration.instances) {
    const tracker = ofInstance(instance);
    if (tracker !== undefined) found.set(instance.name, tracker);
  }
  for (const group of configuration.syncGroups) {
    const tracker = ofGroup(group);
    for (const member of group.members) if (tracker !== undefined && !found.has(member)) found.set(member, tracker);
  }
  return [...found];
}

function tracking(dumped: Dumped, of: (trackers: Trackers) => Weighted | undefined): string[] {
  const found = trackingInstances(dumped, of, of);
  return list("Tracking instances", found, ([name, tracker]) => `${name}, ${weightText(tracker)}`);
}

export function scriptLines(dumped: Dumped): string[] {
  const { configuration, snapshot, facts } = dumped;
  return configuration.scripts.flatMap((script) => {
    const { uid, gid } = facts.resolve(script.command);
    const now = snapshot.scripts.find(({ name }) => name === script.name);
    const { state = "unknown", against = 0, reported = false, running = false } = now ?? {};
    // keepalived counts 0..rise+fall-1; from `rise` on it is good.
    const result = state === "ok" ? script.rise + script.fall - 1 - against : against;
    return [
      ` VRRP Script = ${script.name}`,
      `   Command = ${commandText(facts, script.command)}`,
      `   Interval = ${script.interval / 1_000_000} sec`,
      // The model has the interval in the place of a time-out that is not set.
      `   Timeout = ${script.timeout === script.interval ? 0 : script.timeout / 1_000_000} sec`,
      `   Weight = ${script.weight}${script.reverse ? " reverse" : ""}`,
      `   Rise = ${script.rise}`,
      `   Fall = ${script.fall}`,
      `   Result = ${result}`,
      "   Insecure = no",
      `   Init state = ${reported ? "unknown" : "INIT"}`,
      `   Status = ${state === "ok" ? "GOOD" : "BAD"}`,
      `   Script uid:gid = ${uid}:${gid}`,
      "   VRRP instances :",
      ...tracking(dumped, ({ trackScripts }) => trackScripts.find((one) => one.script === script.name)),
      `   State = ${running ? "running" : "idle"}`,
    ];
  });
}

export const fileLines = (dumped: Dumped): string[] =>
  dumped.configuration.trackFiles.flatMap((file) => [
    ` Track file = ${file.name}`,
    `   File = ${file.file}`,
    `   Status = ${dumped.snapshot.files.find(({ name }) => name === file.name)?.value ?? 0}`,
    `   ${capital(weightText(file))}`,
    ...tracking(dumped, ({ trackFiles }) => trackFiles.find(({ name }) => name === file.name)),
  ]);

export const processLines = (dumped: Dumped): string[] =>
  dumped.configuration.trackProcesses.flatMap((one) => {
    const [program = "", ...parameters] = one.command;
    const count = dumped.snapshot.processes.find(({ name }) => name === one.name)?.count ?? 0;
    const enough = count >= one.quorum && (one.quorumMax === undefined || count <= one.quorumMax);
    return [
      ` VRRP Track process = ${one.name}`,
      `   Process = ${program}`,
      ...(parameters.length === 0 ? [] : [`   Parameters = ${parameters.join(" ")}`]),
      ...(one.match === "exact" ? [] : [`   Param match = ${one.match}`]),
      `   Min processes = ${one.quorum}`,
      ...(one.quorumMax === undefined ? [] : [`   Max processes = ${one.quorumMax}`]),
      `   Current processes = ${count}`,
      `   Have quorum = ${enough}`,
      `   ${capital(weightText(one))}`,
      `   Terminate delay = ${(one.terminateDelay / 1_000_000).toFixed(6)}s`,
      `   Fork delay = ${(one.forkDelay / 1_000_000).toFixed(6)}s`,
      `   Full command = ${one.fullCommand}`,
      ...tracking(dumped, ({ trackProcesses }) => trackProcesses.find(({ name }) => name === one.name)),
    ];
  });

const capital = (text: string): string => text.replace(/^weight/, "Weight =");
