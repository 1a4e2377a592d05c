/**
 * Where a name stands in a configuration, and which addresses are virtual: worked out once a configuration. With 255
 * virtual routers every input would otherwise go through all of them for each of them.
 */

import type { SyncGroup, VrrpConfiguration, VrrpInstance } from "../config/model/vrrp.ts";
import { allAddresses } from "./garp.ts";

export interface ConfigurationIndex {
  /** Of an instance, in the configuration's list. */
  readonly positions: ReadonlyMap<string, number>;
  /** By the name of a member. */
  readonly groups: ReadonlyMap<string, SyncGroup>;
  readonly virtualAddresses: ReadonlySet<string>;
  /** By family and virtual router id, in the configuration's order: the same number may be used on several interfaces. */
  readonly routers: ReadonlyMap<string, readonly VrrpInstance[]>;
}

export const routerKey = ({ family, virtualRouterId }: Pick<VrrpInstance, "family" | "virtualRouterId">): string =>
  `${family} ${virtualRouterId}`;

/** Says nothing that the configuration does not; a state that is parsed from JSON gets its own. */
const known = new WeakMap<VrrpConfiguration, ConfigurationIndex>();

export function indexOf(configuration: VrrpConfiguration): ConfigurationIndex {
  const found = known.get(configuration);
  if (found !== undefined) return found;
  const { instances, syncGroups } = configuration;
  // From the end: the first of two with the same name is the one that counts.
  const index: ConfigurationIndex = {
    positions: new Map(instances.map(({ name }, position) => [name, position] as const).toReversed()),
    groups: new Map(
      syncGroups.flatMap((group) => group.members.map((member) => [member, group] as const)).toReversed(),
    ),
    virtualAddresses: new Set(instances.flatMap((one) => allAddresses(one).map(({ address }) => String(address)))),
    routers: Map.groupBy(instances, routerKey),
  };
  known.set(configuration, index);
  return index;
}
