/**
 * `keepalived -t`: what is wrong with the configuration, in keepalived's form `(file: Line N) message`, and the exit status of
 * 2.2.7: 0 nothing to say, 2 a keyword without its parameter (reading ends there), 5 errors, warnings or an interface that is
 * not there, 6 scripts without script security (which comes before all errors but those two), 4 a file that is there
 * cannot be read. A file that is not there is 0.
 *
 * What only evenkeel has a word about is printed and changes no status: who checks files with `-t` before a roll-out gets
 * keepalived's answer.
 */

import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import type { Loaded } from "../config/load.ts";
import type { DirectorConfiguration } from "../config/model/virtual-server.ts";
import { NO_INTERFACE, type ScriptCommand, type VrrpConfiguration } from "../config/model/vrrp.ts";
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

/**
 * @param exists whether this host has an interface of that name
 * @param runs whether this host has a program of that name or path
 */
export function configurationVerdict(
  loaded: Loaded,
  exists: (name: string) => boolean,
  runs: (program: string) => boolean,
): Verdict {
  const { diagnostics, configuration } = loaded;
  const grave = diagnostics.filter(({ severity, code }) => severity !== "note" && code !== INSECURE);
  const insecure = runsInsecurely(configuration, runs);
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

/** keepalived leaves out scripts that are not there, and then nothing insecure is run. */
function runsInsecurely({ vrrp, director }: Loaded["configuration"], runs: (program: string) => boolean): boolean {
  const ofVrrp = vrrp === undefined || vrrp.global.enableScriptSecurity ? [] : commandsOfVrrp(vrrp);
  const ofDirector = director === undefined || director.global.enableScriptSecurity ? [] : commandsOfDirector(director);
  return [...ofVrrp, ...ofDirector].some(
    (command) => typeof command === "object" && command.argv[0] !== undefined && runs(command.argv[0]),
  );
}

type Command = ScriptCommand | "say-deleted" | undefined;

const commandsOfVrrp = ({ global, scripts, instances, syncGroups }: VrrpConfiguration): Command[] => [
  global.startupScript?.command,
  global.shutdownScript?.command,
  ...global.notifyFifos.map((fifo) => fifo.script),
  ...scripts.map(({ command }) => command),
  ...[...instances, ...syncGroups].flatMap(({ notify }): Command[] => Object.values(notify)),
];

const commandsOfDirector = ({ global, virtualServers }: DirectorConfiguration): Command[] => [
  ...global.fifos.map((fifo) => fifo.script),
  ...virtualServers.flatMap(({ quorumUp, quorumDown, realServers }) => [
    quorumUp,
    quorumDown,
    ...realServers.flatMap(({ notifyUp, notifyDown, checkers }) => [
      notifyUp,
      notifyDown,
      ...checkers.map((checker) => (checker.type === "MISC_CHECK" ? checker.command : undefined)),
    ]),
  ]),
];

/** In PATH unless it is a path. */
export function hostRuns(program: string): boolean {
  const paths = program.includes("/")
    ? [program]
    : (process.env.PATH ?? "").split(":").map((folder) => join(folder, program));
  return paths.some((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
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
