/**
 * `keepalived -t`: what is wrong with the configuration, in keepalived's form `(file: Line N) message`, and the exit status of
 * 2.2.7: 0 nothing to say, 2 a keyword without its parameter (reading ends there), 5 errors, warnings or an interface that is
 * not there, 6 scripts without script security (which comes before all errors but those two), 4 a file that is there
 * cannot be read. A file that is not there is 0.
 *
 * What only evenkeel has a word about is printed and changes no status: who checks files with `-t` before a roll-out gets
 * keepalived's answer.
 */

import type { Loaded } from "../config/load.ts";
import { NO_INTERFACE, type VrrpConfiguration } from "../config/model/vrrp.ts";
import type { Diagnostic } from "../config/text/diagnostic.ts";
import { readInterfaces } from "../sys/interfaces.ts";

export interface Verdict {
  readonly status: 0 | 2 | 4 | 5 | 6;
  readonly lines: readonly string[];
}

const INSECURE = "keepalived/script-security";

/** keepalived 2.2.7 takes these without a word, or says something and exits with 0. */
const ADVICE: ReadonlySet<string> = new Set([
  "config/empty",
  "keepalived/already-defined",
  "keepalived/duplicate-address",
  "keepalived/include-missing",
  "keepalived/ipv6-version",
  "keepalived/no-off-switch",
  "keepalived/nothing-to-track",
  "keepalived/own-peer",
  "keepalived/shared-address",
  "keepalived/strict-drops-traffic",
]);

/** @param exists whether this host has an interface of that name */
export function configurationVerdict(loaded: Loaded, exists: (name: string) => boolean): Verdict {
  const { diagnostics, configuration } = loaded;
  const grave = diagnostics.filter(({ severity, code }) => severity !== "note" && code !== INSECURE);
  const insecure = diagnostics.some(({ code }) => code === INSECURE) || notifiesInsecurely(configuration.vrrp);
  const { vrrp } = configuration;
  const missing = vrrp === undefined || vrrp.global.dynamicInterfaces ? [] : missingInterfaces(vrrp, exists);
  const lines = [
    ...grave.map(keepalivedLine),
    ...missing,
    ...(missing.length === 0 ? [] : ["Non-existent interface specified in configuration"]),
    ...(insecure ? ["SECURITY VIOLATION - scripts are being executed but script_security not enabled."] : []),
  ];
  const unreadable = grave.some(({ code }) => code === "config/unreadable");
  const faulty = grave.some(({ code }) => !ADVICE.has(code));
  const status = grave.some(endsReading) ? 2 : missing.length > 0 ? 5 : insecure ? 6 : unreadable ? 4 : faulty ? 5 : 0;
  return { status, lines };
}

/** Instances and groups have a word of their own for a missing name. */
const endsReading = ({ code, message }: Diagnostic): boolean =>
  code === "keepalived/missing-parameter" && !/'vrrp_(instance|sync_group)'/.test(message);

export const hostHas = (): ((name: string) => boolean) => {
  const names = new Set([...readInterfaces().values()].map(({ name }) => name));
  return (name) => names.has(name);
};

export function keepalivedLine({ span, message }: Diagnostic): string {
  const { source, start } = span;
  return `(${source.name}: Line ${source.positionOf(start).line}) ${message}`;
}

/** Notify scripts and those of the start and the stop count as well, which `evenkeel check` has no note about. */
function notifiesInsecurely(vrrp: VrrpConfiguration | undefined): boolean {
  if (vrrp === undefined || vrrp.global.enableScriptSecurity) return false;
  if (vrrp.global.startupScript !== undefined || vrrp.global.shutdownScript !== undefined) return true;
  return [...vrrp.instances, ...vrrp.syncGroups].some(({ notify }) =>
    Object.values(notify).some((command) => command !== undefined && command !== "say-deleted"),
  );
}

function missingInterfaces({ instances }: VrrpConfiguration, exists: (name: string) => boolean): string[] {
  const lacks = (name: string | undefined): name is string => name !== undefined && !exists(name);
  return instances.flatMap((one) => {
    const { name, interface: device, vmac, virtualAddresses, excludedAddresses, virtualRoutes, trackInterfaces } = one;
    const toCome = (wanted: string) => wanted === vmac?.interface || wanted === device;
    return [
      ...(device !== NO_INTERFACE && lacks(device)
        ? [`WARNING - interface ${device} for vrrp_instance ${name} doesn't exist`]
        : []),
      ...trackInterfaces
        .filter((tracked) => lacks(tracked.interface))
        .map((tracked) => `(${name}) tracked interface ${tracked.interface} doesn't exist`),
      ...[...virtualAddresses, ...excludedAddresses]
        .filter((address) => !toCome(address.interface) && lacks(address.interface))
        .map(
          ({ interface: on, address, prefixLength }) =>
            `WARNING - interface ${on} for ip address ${address}/${prefixLength} doesn't exist`,
        ),
      ...virtualRoutes
        .flatMap((route) => [route.interface, ...route.nextHops.map((hop) => hop.interface)])
        .filter(lacks)
        .filter((on) => !toCome(on))
        .map((on) => `WARNING - interface ${on} for VROUTE nexthop doesn't exist`),
    ];
  });
}
