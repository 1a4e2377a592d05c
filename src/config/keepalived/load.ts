/**
 * keepalived.conf → the typed models of VRRP and of the virtual servers (keepalived.conf(5)).
 *
 * Lenient as keepalived is: whatever can be understood is, and everything else is said. Blocks that are not implemented
 * yet are checked for unknown words and reported.
 */

import type { DirectorConfiguration } from "../model/virtual-server.ts";
import type { VrrpConfiguration, VrrpInstance, VrrpScript } from "../model/vrrp.ts";
import type { Diagnostics } from "../text/diagnostic.ts";
import type { Source } from "../text/source.ts";
import { Budget } from "./budget.ts";
import { DirectorReader } from "./director.ts";
import { type GlobalDefs, readGlobalDefs } from "./global-defs.ts";
import { type InstanceDraft, readInstance } from "./instance.ts";
import { completeInstance } from "./instance-rules.ts";
import { LineReader, type ReaderEnvironment } from "./reader.ts";
import { quote, Report } from "./report.ts";
import { completeSyncGroups, readSyncGroup, type SyncGroupDraft, withoutWeightsInGroups } from "./sync-group.ts";
import { type Statement, TreeBuilder, type Word } from "./tree.ts";
import { readVrrpScript } from "./vrrp-script.ts";
import { walk } from "./walk.ts";

export interface LoadedKeepalived {
  readonly model: VrrpConfiguration;
  readonly director: DirectorConfiguration | undefined;
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
  return { ...modelsOf(tree.done(), report), sources: reader.sources };
}

function modelsOf(statements: readonly Statement[], report: Report): Omit<LoadedKeepalived, "sources"> {
  const director = new DirectorReader(report);
  const globals = readGlobalDefs(blocksNamed("global_defs", statements), director.globalHandlers, report);
  const below = new Set(blocksNamed("vrrp_script", statements).map(({ words }) => words[0]?.text ?? ""));
  const scripts = new Map<string, VrrpScript>();
  const instances = new Map<string, InstanceDraft>();
  const groups = new Map<string, SyncGroupDraft>();
  const known = { above: scripts, below };
  walk(
    statements,
    "",
    {
      ...director.blockHandlers,
      global_defs: () => {},
      vrrp_script: (statement) => {
        below.delete(statement.words[0]?.text ?? "");
        define(statement, "vrrp script", scripts, () => readVrrpScript(statement, report), report);
      },
      vrrp_instance: (statement) =>
        define(
          statement,
          "vrrp instance",
          instances,
          (name) => readInstance(statement, name, globals.defaults, known, report),
          report,
        ),
      vrrp_sync_group: (statement) =>
        define(statement, "vrrp sync group", groups, (name) => readSyncGroup(statement, name, known, report), report),
    },
    report,
  );
  const usable = completeInstances([...instances.values()], globals, report);
  const syncGroups = completeSyncGroups([...groups.values()], new Set(instances.keys()), report);
  const nameOf = new Map([...instances].map(([name, draft]) => [name, draft.name]));
  const model = {
    global: globals.model,
    scripts: [...scripts.values()],
    trackFiles: [],
    trackProcesses: [],
    statics: { addresses: [], routes: [], rules: [] },
    syncGroups,
    instances: withoutWeightsInGroups(usable, syncGroups, nameOf, report),
  };
  const directorModel = director.complete(globals.model);
  const [firstScript] = scripts.size > 0 ? blocksNamed("vrrp_script", statements) : [];
  const withScript = firstScript?.keyword ?? director.firstWithScript;
  if (withScript !== undefined && !globals.model.enableScriptSecurity) noteScriptSecurity(withScript, report);
  return { model, director: directorModel };
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
  for (const draft of drafts) {
    const instance = completeInstance(draft, globals, report);
    if (instance === undefined) continue;
    usable.push(instance);
    const place = `${instance.virtualRouterId} ${instance.interface}`;
    const other = owners.get(place);
    if (other === undefined) {
      owners.set(place, instance.name);
      continue;
    }
    const { virtualRouterId, interface: device, name } = instance;
    const message = `${quote(other)} and ${quote(name)} both use VRID ${virtualRouterId} with IPv4 on interface ${device}`;
    const at = draft.virtualRouterId?.at ?? draft.name;
    report.error("keepalived/duplicate-virtual-router-id", at, message, "Give each its own virtual_router_id");
  }
  return usable;
}

function noteScriptSecurity(at: Word, report: Report): void {
  const message = "Scripts are executed but enable_script_security is not set";
  const help = "Add enable_script_security and script_user to global_defs";
  report.note("keepalived/script-security", at, message, help);
}
