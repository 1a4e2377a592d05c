/**
 * `keepalived -t`: what is wrong with the configuration, in keepalived's form `(file: Line N) message`, and its exit status:
 * 0 nothing to say, 2 it cannot be run at all, 5 errors or warnings, 6 scripts without script security (which keepalived 2.2.7
 * answers before all else but a missing interface), 4 a file that is there cannot be read. A file that is not there is 0, as with 2.2.7.
 */

import type { Loaded } from "../config/load.ts";
import { NO_INTERFACE, type VrrpConfiguration } from "../config/model/vrrp.ts";
import type { Diagnostic } from "../config/text/diagnostic.ts";
import { readInterfaces } from "../sys/interfaces.ts";

export interface Verdict {
  readonly status: 0 | 4 | 5 | 6;
  readonly lines: readonly string[];
}

const INSECURE = "keepalived/script-security";

/** @param exists whether this host has an interface of that name */
export function configurationVerdict(loaded: Loaded, exists: (name: string) => boolean): Verdict {
  const { diagnostics, configuration } = loaded;
  const grave = diagnostics.filter(({ severity, code }) => severity !== "note" && code !== INSECURE);
  const insecure = diagnostics.some(({ code }) => code === INSECURE) || notifiesInsecurely(configuration.vrrp);
  const missing = configuration.vrrp?.global.dynamicInterfaces === true ? [] : missingInterfaces(loaded, exists);
  const lines = [
    ...grave.map(keepalivedLine),
    ...missing,
    ...(missing.length === 0 ? [] : ["Non-existent interface specified in configuration"]),
    ...(insecure ? ["SECURITY VIOLATION - scripts are being executed but script_security not enabled."] : []),
  ];
  const unreadable = grave.some(({ code }) => code === "config/unreadable");
  const status = missing.length > 0 ? 5 : insecure ? 6 : unreadable ? 4 : grave.length > 0 ? 5 : 0;
  return { status, lines };
}

export const hostHas = (): ((name: string) => boolean) => {
  const names = new Set([...readInterfaces().values()].map(({ name }) => name));
  return (name) => names.has(name);
};

export function keepalivedLine({ span, message }: Diagnostic): string {
  const { source, start } = span;
  return `(${source.name}: Line ${source.positionOf(start).line}) ${message}`;
}

/** Notify scripts count as well, which `evenkeel check` has no note about. */
function notifiesInsecurely(vrrp: VrrpConfiguration | undefined): boolean {
  if (vrrp === undefined || vrrp.global.enableScriptSecurity) return false;
  return [...vrrp.instances, ...vrrp.syncGroups].some(({ notify }) =>
    Object.values(notify).some((command) => command !== undefined && command !== "say-deleted"),
  );
}

const missingInterfaces = ({ configuration }: Loaded, exists: (name: string) => boolean): string[] =>
  (configuration.vrrp?.instances ?? [])
    .filter((instance) => instance.interface !== NO_INTERFACE && !exists(instance.interface))
    .map(({ name, interface: device }) => `WARNING - interface ${device} for vrrp_instance ${name} doesn't exist`);
