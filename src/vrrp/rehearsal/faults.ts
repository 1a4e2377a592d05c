/** Single failures of a host: what there is to fail, in words, and back. Pure. */

import { linksOf, type RehearsedHost } from "./hosts.ts";

export type Fault =
  | { readonly kind: "stops" | "dies"; readonly host: string }
  | {
      readonly kind: "interface" | "script" | "process" | "proxy" | "service";
      readonly host: string;
      readonly name: string;
    };

const NAMED = ["interface", "script", "process", "proxy", "service"] as const;

/** Of one host: what it tracks, its links, and it itself. */
export function faultsOf({ name: host, configuration }: RehearsedHost): Fault[] {
  const { instances, syncGroups } = configuration;
  const trackers = [...instances, ...syncGroups];
  const named = (kind: (typeof NAMED)[number], names: readonly string[]): Fault[] =>
    [...new Set(names)].map((name) => ({ kind, host, name }));
  return [
    ...named(
      "script",
      trackers.flatMap((one) => one.trackScripts.map(({ script }) => script)),
    ),
    ...named(
      "process",
      trackers.flatMap((one) => one.trackProcesses.map(({ name }) => name)),
    ),
    ...named(
      "proxy",
      trackers.flatMap((one) => one.trackProxies.map(({ name }) => name)),
    ),
    ...named(
      "service",
      trackers.flatMap((one) => one.trackServices.map(({ name }) => name)),
    ),
    ...named("interface", linksOf(configuration)),
    { kind: "stops", host },
    { kind: "dies", host },
  ];
}

export function inWords(fault: Fault): string {
  switch (fault.kind) {
    case "stops":
    case "dies":
      return `${fault.host} ${fault.kind}`;
    case "interface":
      return `${fault.host}: interface ${fault.name} goes down`;
    case "script":
      return `${fault.host}: script ${fault.name} fails`;
    case "process":
      return `${fault.host}: process ${fault.name} ends`;
    case "proxy":
    case "service":
      return `${fault.host}: ${fault.kind} ${fault.name} fails`;
    default:
      return fault satisfies never;
  }
}

/** `HOST: script NAME`, `HOST: stops`, and what `inWords` gives; a string says what is wrong with it. */
export function readFault(text: string, hosts: readonly RehearsedHost[]): Fault | string {
  const [, hostName = "", kind = "", name = ""] = /^\s*([^\s:]+)(?::\s*|\s+)(\S+)(?:\s+(\S.*?))?\s*$/.exec(text) ?? [];
  const host = hosts.find((one) => one.name === hostName);
  if (host === undefined) {
    return `${JSON.stringify(text)} begins with no host: write one of ${hosts.map((one) => one.name).join(", ")}`;
  }
  const known = faultsOf(host);
  const plain = name.replace(/ (goes down|fails|ends)$/, "");
  const found = known.find((one) => one.kind === kind && ("name" in one ? one.name === plain : name === ""));
  if (found !== undefined) return found;
  const choices = known.map((one) => ("name" in one ? `${one.kind} ${one.name}` : one.kind));
  return `${JSON.stringify(text)}: ${host.name} has ${choices.join(", ")}`;
}
