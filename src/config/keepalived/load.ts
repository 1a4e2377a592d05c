/**
 * keepalived.conf → the typed models of VRRP and of the virtual servers (keepalived.conf(5)).
 *
 * Lenient as keepalived is: whatever can be understood is, and everything else is said. Blocks that are not implemented
 * yet are checked for unknown words and reported.
 */

import type { DaemonSettings } from "../model/daemon.ts";
import type { DirectorConfiguration } from "../model/virtual-server.ts";
import type { TrackedProcess, VrrpConfiguration, VrrpInstance, VrrpScript } from "../model/vrrp.ts";
import type { Diagnostics } from "../text/diagnostic.ts";
import type { ConfigurationFiles } from "../text/files.ts";
import type { Source } from "../text/source.ts";
import { Budget } from "./budget.ts";
import { DaemonSettingsReader } from "./daemon-settings.ts";
import { DirectorReader } from "./director.ts";
import { type GlobalDefs, readGlobalDefs } from "./global-defs.ts";
import { type InstanceDraft, readInstance } from "./instance.ts";
import { completeInstance } from "./instance-rules.ts";
import { IprouteNames } from "./iproute-names.ts";
import type { Place, Places } from "./peers-report.ts";
import { LineReader, type ReaderEnvironment } from "./reader.ts";
import { quote, Report } from "./report.ts";
import { RuleReader } from "./rules.ts";
import { servedNames, withServices } from "./served-names.ts";
import { StaticsReader } from "./statics.ts";
import { completeSyncGroups, readSyncGroup, type SyncGroupDraft, withoutWeightsInGroups } from "./sync-group.ts";
import { readTrackProcess } from "./track-process.ts";
import type { Reference } from "./trackers.ts";
import { type Statement, TreeBuilder, type Word } from "./tree.ts";
import { MacvlanNames } from "./virtual-mac.ts";
import { readVrrpScript } from "./vrrp-script.ts";
import { walk } from "./walk.ts";

export interface LoadedKeepalived {
  readonly model: VrrpConfiguration;
  readonly director: DirectorConfiguration | undefined;
  readonly daemon: DaemonSettings;
  readonly places: Places;
  /** What `track_proxy` names: known once haproxy.cfg is read. */
  readonly proxies: readonly Reference[];
  /** `files` and what they include, in the order of reading. */
  readonly sources: readonly Source[];
}

/** `files` follow each other as if they were one. */
export function loadKeepalived(
  files: readonly Source[],
  environment: ReaderEnvironment,
  diagnostics: Diagnostics,
): LoadedKeepalived {
  const report = new Report(diagnostics);
  const reader = new LineReader(environment, report, new Budget());
  const tree = new TreeBuilder(report);
  for (const file of files) for (const line of reader.read(file)) tree.add(line);
  return { ...modelsOf(tree.done(), environment.files, report), sources: reader.sources };
}

function modelsOf(
  statements: readonly Statement[],
  files: ConfigurationFiles,
  report: Report,
): Omit<LoadedKeepalived, "sources"> {
  const director = new DirectorReader(report);
  const daemon = new DaemonSettingsReader(report);
  const more = { ...director.globalHandlers, ...daemon.globalHandlers };
  const globals = readGlobalDefs(blocksNamed("global_defs", statements), more, report);
  globals.defaults.smtpAlert = director.mail.vrrpDefault;
  const namesOf = (...keywords: string[]) =>
    new Set(keywords.flatMap((one) => blocksNamed(one, statements)).map(({ words }) => words[0]?.text ?? ""));
  const below = {
    scripts: namesOf("vrrp_script"),
    files: namesOf("track_file", "vrrp_track_file"),
    processes: namesOf("vrrp_track_process"),
  };
  const scripts = new Map<string, VrrpScript>();
  const processes = new Map<string, TrackedProcess>();
  const instances = new Map<string, InstanceDraft>();
  const groups = new Map<string, SyncGroupDraft>();
  const tracked = { scripts, files: director.trackFiles, processes, below };
  const names = new IprouteNames(files);
  const rules = new RuleReader(names, report);
  const context = { defaults: globals.defaults, tracked, names, rules };
  const statics = new StaticsReader(names, rules, globals.defaultInterface, report);
  walk(
    statements,
    "",
    {
      ...director.blockHandlers,
      ...daemon.blockHandlers,
      ...statics.blockHandlers,
      global_defs: () => {},
      vrrp_script: (statement) => {
        below.scripts.delete(statement.words[0]?.text ?? "");
        define(statement, "vrrp script", scripts, () => readVrrpScript(statement, report), report);
      },
      vrrp_track_process: (statement) => {
        below.processes.delete(statement.words[0]?.text ?? "");
        define(statement, "track process", processes, () => readTrackProcess(statement, report), report);
      },
      vrrp_instance: (statement) =>
        define(statement, "vrrp instance", instances, (name) => readInstance(statement, name, context, report), report),
      vrrp_sync_group: (statement) =>
        define(statement, "vrrp sync group", groups, (name) => readSyncGroup(statement, name, tracked, report), report),
    },
    report,
  );
  const usable = completeInstances([...instances.values()], globals, report);
  const syncGroups = completeSyncGroups([...groups.values()], new Set(instances.keys()), globals.defaults, report);
  const nameOf = new Map([...instances].map(([name, draft]) => [name, draft.name]));
  const directorModel = director.complete(globals.model);
  const trackers = [...instances.values(), ...groups.values()].map((draft) => draft.trackers);
  const served = servedNames(trackers, directorModel, report);
  const complete = withoutWeightsInGroups(usable, syncGroups, nameOf, report).map((one) => withServices(one, served));
  const groupsComplete = syncGroups.map((group) => withServices(group, served));
  const telling = complete.some((one) => one.smtpAlert) || syncGroups.some((one) => one.smtpAlert);
  const trackedProcesses = new Set(
    [...complete, ...syncGroups].flatMap((one) => one.trackProcesses.map(({ name }) => name)),
  );
  const model: VrrpConfiguration = {
    global: {
      ...globals.model,
      notifyFifos: director.fifos.vrrp,
      mail: telling ? director.mail.complete(globals.model.routerId) : undefined,
      noEmailFaults: director.mail.withoutFaults,
      interfaceDelays: statics.interfaceDelays,
      garpGroups: statics.garpGroups,
    },
    scripts: [...scripts.values()],
    trackFiles: director.trackFiles.usedByVrrp,
    trackProcesses: [...processes.values()].filter(({ name }) => trackedProcesses.has(name)),
    statics: statics.statics,
    syncGroups: groupsComplete,
    instances: complete,
  };
  const [firstScript] = scripts.size > 0 ? blocksNamed("vrrp_script", statements) : [];
  const withScript = firstScript?.keyword ?? director.firstWithScript;
  if (withScript !== undefined && !globals.model.enableScriptSecurity) noteScriptSecurity(withScript, report);
  const proxies = trackers.flatMap(({ proxyNames }) => proxyNames);
  return { model, director: directorModel, daemon: daemon.complete(), proxies, places: placesOf(statements) };
}

/** Of the first definition of each name, which is the one that counts. */
function placesOf(statements: readonly Statement[]): Places {
  const places = new Map<string, Place>();
  for (const { keyword, words, block } of statements) {
    const [name] = words;
    if (name === undefined || (keyword.text !== "vrrp_instance" && keyword.text !== "vrrp_sync_group")) continue;
    const key = `${keyword.text} ${name.text}`;
    if (places.has(key)) continue;
    const keywords = new Map((block ?? []).map((line) => [line.keyword.text, line.keyword.span]));
    places.set(key, { name: name.span, keywords });
  }
  return places;
}

const blocksNamed = (keyword: string, statements: readonly Statement[]): readonly Statement[] =>
  statements.filter((statement) => statement.keyword.text === keyword);

/** The first definition of a name counts. */
function define<T>(
  statement: Statement,
  kind: string,
  into: Map<string, T>,
  read: (name: Word) => T | undefined,
  report: Report,
): void {
  const name = statement.words[0];
  if (name === undefined) return;
  if (into.has(name.text)) {
    const message = `${kind} ${quote(name.text)} already defined`;
    report.warning("keepalived/already-defined", name, message, "This block is skipped: give it a name of its own");
    return;
  }
  const value = read(name);
  if (value !== undefined) into.set(name.text, value);
}

/** Two instances on one interface cannot share an id: neither would know whose adverts it hears. */
function completeInstances(drafts: readonly InstanceDraft[], globals: GlobalDefs, report: Report): VrrpInstance[] {
  const usable: VrrpInstance[] = [];
  const owners = new Map<string, string>();
  const holders = new Map<string, string>();
  const macvlans = new MacvlanNames(globals.macvlanPrefix);
  for (const draft of drafts) {
    const instance = completeInstance(draft, globals, macvlans, report);
    if (instance === undefined) continue;
    usable.push(instance);
    warnOfSharedAddresses(draft, holders, report);
    if ((instance.unicastPeers?.length ?? 0) > 0) continue;
    const place = `${instance.virtualRouterId} ${instance.multicastGroup} ${instance.interface}`;
    const other = owners.get(place);
    if (other === undefined) {
      owners.set(place, instance.name);
      continue;
    }
    const { virtualRouterId, interface: device, name, family } = instance;
    const message = `${quote(other)} and ${quote(name)} both use VRID ${virtualRouterId} with ${family === "ipv4" ? "IPv4" : "IPv6"} on interface ${device}`;
    const at = draft.virtualRouterId?.at ?? draft.name;
    report.error("keepalived/duplicate-virtual-router-id", at, message, "Give each its own virtual_router_id");
  }
  return usable;
}

/** keepalived says nothing, and the two take the address away from each other. */
function warnOfSharedAddresses(
  { name, addresses, excluded }: InstanceDraft,
  holders: Map<string, string>,
  report: Report,
) {
  for (const { address, written } of [...addresses, ...excluded]) {
    const other = holders.get(address);
    if (other === undefined) holders.set(address, name.text);
    else if (other !== name.text) {
      const message = `${quote(other)} and ${quote(name.text)} both have the address ${address}`;
      const help = "Whichever becomes BACKUP removes it from under the other: give each its own";
      report.warning("keepalived/shared-address", written, message, help);
    }
  }
}

function noteScriptSecurity(at: Word, report: Report): void {
  const message = "Scripts are executed but enable_script_security is not set";
  const help = "Add enable_script_security and script_user to global_defs";
  report.note("keepalived/script-security", at, message, help);
}
