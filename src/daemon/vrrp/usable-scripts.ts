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

/** The configuration without the scripts that cannot run or that nobody asks; logs why. */
export function withUsableScripts(configuration: VrrpConfiguration, log: Log): VrrpConfiguration {
  const { global, instances, syncGroups } = configuration;
  const asked = new Set([...instances, ...syncGroups].flatMap((one) => one.trackScripts.map(({ script }) => script)));
  const scripts = configuration.scripts.filter(
    (script) => isAsked(script, asked, log) && isUsable(script, global, log),
  );
  if (scripts.length === configuration.scripts.length) return configuration;
  const names = new Set(scripts.map(({ name }) => name));
  const withoutOthers = <T extends { readonly trackScripts: readonly TrackScript[] }>(tracking: T): T => ({
    ...tracking,
    trackScripts: tracking.trackScripts.filter(({ script }) => names.has(script)),
  });
  return {
    ...configuration,
    scripts,
    instances: instances.map(withoutOthers),
    syncGroups: syncGroups.map(withoutOthers),
  };
}

function isAsked({ name }: VrrpScript, asked: ReadonlySet<string>, log: Log): boolean {
  if (!asked.has(name)) log.write("warning", `Warning - script ${name} is not used`);
  return asked.has(name);
}

function isUsable(script: VrrpScript, global: VrrpGlobal, log: Log): boolean {
  const found = obstacle(script.command, global);
  if (found === undefined) return true;
  log.write("warning", found.message);
  // keepalived says no more of one that is not executable.
  if (found.kind === "not-executable") return false;
  const why = found.kind === "insecure" ? "due to insecure" : "since not found/accessible";
  log.write("warning", `Disabling track script ${script.name} ${why}`);
  return false;
}
