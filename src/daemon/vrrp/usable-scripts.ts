/**
 * Which vrrp_scripts can run on this machine, found out before the first one does.
 *
 * As keepalived does, one that cannot is left out with its trackers, and said: a check that was never installed must not
 * keep the address down. One that breaks later fails like any other. Notify scripts are not looked at: each run that fails
 * is logged.
 */

import type { TrackScript, VrrpConfiguration, VrrpGlobal, VrrpScript } from "../../config/model/vrrp.ts";
import type { Log } from "../log/log.ts";
import { obstacle } from "./script-runner.ts";

/** The configuration without the scripts that cannot run; logs why. */
export function withUsableScripts(configuration: VrrpConfiguration, log: Log): VrrpConfiguration {
  const scripts = configuration.scripts.filter((script) => isUsable(script, configuration.global, log));
  if (scripts.length === configuration.scripts.length) return configuration;
  const names = new Set(scripts.map(({ name }) => name));
  const withoutOthers = <T extends { readonly trackScripts: readonly TrackScript[] }>(tracking: T): T => ({
    ...tracking,
    trackScripts: tracking.trackScripts.filter(({ script }) => names.has(script)),
  });
  return {
    ...configuration,
    scripts,
    instances: configuration.instances.map(withoutOthers),
    syncGroups: configuration.syncGroups.map(withoutOthers),
  };
}

function isUsable(script: VrrpScript, global: VrrpGlobal, log: Log): boolean {
  const found = obstacle(script.command, global);
  if (found === undefined) return true;
  log.write("warning", found.message);
  const why = found.kind === "insecure" ? "due to insecure" : "since not found/accessible";
  log.write("warning", `Disabling track script ${script.name} ${why}`);
  return false;
}
