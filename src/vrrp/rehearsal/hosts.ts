/**
 * What a host is taken for when all that is known of it is its keepalived.conf: interfaces that are all up, addresses where the
 * files say them, and made-up ones elsewhere. Pure.
 */

import { type IpAddress, parseIp } from "../../base/ip.ts";
import { NO_INTERFACE, type VrrpConfiguration, type VrrpInstance } from "../../config/model/vrrp.ts";
import { allAddresses } from "../garp.ts";
import type { Input, InterfaceReport } from "../messages.ts";

export interface RehearsedHost {
  /** As events name it: `a` of `a.conf`. */
  readonly name: string;
  readonly configuration: VrrpConfiguration;
}

/** Links that the host has itself: macvlans hang on them. */
export function linksOf({ instances, syncGroups }: VrrpConfiguration): string[] {
  const macvlans = macvlansOf(instances);
  const named = [
    ...instances.map((one) => one.interface),
    ...[...instances, ...syncGroups].flatMap((one) => one.trackInterfaces.map((tracked) => tracked.interface)),
    ...instances.flatMap((one) => allAddresses(one).map((address) => address.interface)),
    ...instances.flatMap((one) => one.virtualRoutes.flatMap((route) => route.interface ?? [])),
    ...instances.flatMap((one) =>
      one.virtualRules.flatMap((rule) => [rule.incomingInterface ?? [], rule.outgoingInterface ?? []].flat()),
    ),
  ];
  return [...new Set(named)].filter((name) => name !== NO_INTERFACE && !macvlans.has(name));
}

/** The base of each. */
export const macvlansOf = (instances: readonly VrrpInstance[]): ReadonlyMap<string, string> =>
  new Map(instances.flatMap((one) => (one.vmac === undefined ? [] : [[one.vmac.interface, one.interface] as const])));

/** RFC 2544 and link-local: no LAN has them. The host's number follows. */
const MADE_UP_4 = "198.19.255.";
const MADE_UP_6 = "fe80::198:19:255:";

/** Names hosts instead of addresses that are made up. */
export const withNames = (text: string, hosts: readonly RehearsedHost[]): string =>
  text.replace(/(?:198\.19\.255\.|fe80::198:19:255:)(\d+)(?![\d.:])/g, (all, number) => hosts[number - 1]?.name ?? all);

/** What a host that nothing is wrong with reports at its start. */
export function interfaceReports(hosts: readonly RehearsedHost[], host: RehearsedHost): InterfaceReport[] {
  const { instances } = host.configuration;
  const number = hosts.indexOf(host) + 1;
  const madeUp = [parseIp(`${MADE_UP_4}${number}`), parseIp(`${MADE_UP_6}${number}`)];
  const known = instances.map((one) => ({ at: one.interface, address: knownSource(hosts, host, one) }));
  const of = (name: string): IpAddress[] => {
    const said = known.flatMap(({ at, address }) => (at === name && address !== undefined ? [address] : []));
    return [...new Set([...said, ...madeUp.filter((one) => one !== undefined)])];
  };
  const macvlans = [...macvlansOf(instances).keys()].map((name) => ({ name, up: true, addresses: [] }));
  return [...linksOf(host.configuration).map((name) => ({ name, up: true, addresses: of(name) })), ...macvlans];
}

/** Said by the file itself, or left over among the peers that all the others have. */
export function knownSource(
  hosts: readonly RehearsedHost[],
  host: RehearsedHost,
  instance: VrrpInstance,
): IpAddress | undefined {
  if (instance.sourceAddress !== undefined) return instance.sourceAddress;
  if (instance.unicastPeers === undefined) return undefined;
  const own = instance.unicastPeers.map(({ address }) => address);
  const lists = hosts
    .filter((other) => other !== host)
    .flatMap((other) => other.configuration.instances.filter((one) => isPeer(one, instance)))
    .flatMap(({ unicastPeers }) => (unicastPeers === undefined ? [] : [unicastPeers.map(({ address }) => address)]));
  return lists[0]?.find((address) => !own.includes(address) && lists.every((list) => list.includes(address)));
}

/** The same virtual router on another host. */
export const isPeer = (a: VrrpInstance, b: VrrpInstance): boolean =>
  a.family === b.family && a.virtualRouterId === b.virtualRouterId;

/** Everything that is tracked is as it should be. Files are not known and count as 0. */
export function trackerReports({ trackProcesses, instances, syncGroups }: VrrpConfiguration): Input[] {
  const trackers = [...instances, ...syncGroups];
  const services = (kind: "proxy" | "service", names: readonly string[]): Input[] =>
    [...new Set(names)].map((name) => ({
      type: "service-state",
      kind,
      name,
      up: true,
      cause: `${kind} ${name} serves`,
    }));
  return [
    ...trackProcesses.map(({ name, quorum }): Input => ({ type: "process-count", process: name, count: quorum })),
    ...services(
      "proxy",
      trackers.flatMap((one) => one.trackProxies.map(({ name }) => name)),
    ),
    ...services(
      "service",
      trackers.flatMap((one) => one.trackServices.map(({ name }) => name)),
    ),
  ];
}

/** Whether equals would have to be told apart by addresses that no file says. */
export function dependsOnUnknownAddress(hosts: readonly RehearsedHost[]): string[] {
  const all = hosts.flatMap((host) => host.configuration.instances.map((instance) => ({ host, instance })));
  const tied = all.filter(({ host, instance }) =>
    all.some(
      (other) =>
        other.host !== host &&
        isPeer(other.instance, instance) &&
        other.instance.priority === instance.priority &&
        [knownSource(hosts, host, instance), knownSource(hosts, other.host, other.instance)].includes(undefined),
    ),
  );
  return [...new Set(tied.map(({ instance }) => instance.name))];
}
