/**
 * Which vrrp_scripts are needed and can run on this machine, found out before the first one does.
 *
 * As keepalived does, one that cannot is left out with its trackers, and said: a check that was never installed must not
 * keep the address down. One that breaks later fails like any other. Notify scripts are not looked at: each run that fails
 * is logged.
 */

import type { TrackScript, VrrpConfiguration, VrrpGlobal, VrrpScript } from "../../config/model/vrrp.ts";
import type { Log } from "../log/log.ts";
import { obstacle } from "../scripts/obstacle.ts";

export interface DisabledScript {
  readonly name: string;
  /** In words: the path, what is wrong with it, the cure. */
  readonly why: string;
}

export interface UsableScripts {
  /** Without the scripts that cannot run or that nobody asks. */
  readonly configuration: VrrpConfiguration;
  /** Those that cannot run: who tracks them goes on as if he did not. */
  readonly disabled: readonly DisabledScript[];
}

/** Logs why a script is left out. */
export function withUsableScripts(configuration: VrrpConfiguration, log: Log): UsableScripts {
  const { global, instances, syncGroups } = configuration;
  const asked = new Set([...instances, ...syncGroups].flatMap((one) => one.trackScripts.map(({ script }) => script)));
  const disabled: DisabledScript[] = [];
  const scripts = configuration.scripts.filter((script) => {
    if (!isAsked(script, asked, log)) return false;
    const why = whyNot(script, global, log);
    if (why !== undefined) disabled.push({ name: script.name, why });
    return why === undefined;
  });
  if (scripts.length === configuration.scripts.length) return { configuration, disabled };
  const names = new Set(scripts.map(({ name }) => name));
  const withoutOthers = <T extends { readonly trackScripts: readonly TrackScript[] }>(tracking: T): T => ({
    ...tracking,
    trackScripts: tracking.trackScripts.filter(({ script }) => names.has(script)),
  });
  const left = { instances: instances.map(withoutOthers), syncGroups: syncGroups.map(withoutOthers) };
  return { configuration: { ...configuration, scripts, ...left }, disabled };
}

function isAsked({ name }: VrrpScript, asked: ReadonlySet<string>, log: Log): boolean {
  if (!asked.has(name)) log.write("warning", `Warning - script ${name} is not used`);
  return asked.has(name);
}

function whyNot(script: VrrpScript, global: VrrpGlobal, log: Log): string | undefined {
  const found = obstacle(script.command, global);
  if (found === undefined) return undefined;
  log.write("warning", found.message);
  // keepalived says no more of one that is not executable.
  if (found.kind === "not-executable") return found.message;
  const why = found.kind === "insecure" ? "due to insecure" : "since not found/accessible";
  log.write("warning", `Disabling track script ${script.name} ${why}`);
  return found.message;
}
