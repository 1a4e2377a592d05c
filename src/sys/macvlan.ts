/** Makes and removes macvlan interfaces, by rtnetlink: what carries a virtual router's own MAC address. ip-link(8). */

import type { MacAddress } from "../base/mac.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../wire/netlink.ts";
import {
  aliasAttribute,
  buildLink,
  groupAttribute,
  IFF_UP,
  type LinkMessage,
  macvlanAttributes,
  RTM_DELLINK,
  RTM_NEWLINK,
} from "../wire/netlink-link.ts";
import { SystemError } from "./addon.ts";
import type { Netlink } from "./netlink.ts";

export interface MacvlanPlan {
  readonly name: string;
  readonly mac: MacAddress;
  /** The interface that it lies on. */
  readonly baseIndex: number;
  /** A remark that stays with it. */
  readonly alias: string;
  /** Those of the same group can be removed together. */
  readonly group: number;
}

const nothing = {
  ...{ family: 0, hardwareType: 0, index: 0, flags: 0, changeMask: 0, name: undefined, mac: undefined, mtu: undefined },
  ...{ lowerIndex: undefined, masterIndex: undefined, operationalState: undefined, otherAttributes: [] },
};

/** In private mode, and down. @throws SystemError EEXIST, ENODEV, EOPNOTSUPP without macvlan */
export function addMacvlan(netlink: Netlink, { name, mac, baseIndex, alias, group }: MacvlanPlan): void {
  const otherAttributes = [...macvlanAttributes(), groupAttribute(group)];
  const link = { ...nothing, name, mac, lowerIndex: baseIndex, otherAttributes };
  netlink.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, buildLink(link), `make the macvlan ${name}`);
  const remark = { ...nothing, name, otherAttributes: [aliasAttribute(alias)] };
  netlink.request(RTM_NEWLINK, 0, buildLink(remark), `give ${name} an alias`);
}

/** @throws SystemError ENODEV, ENETDOWN while the interface below is down */
export function setLinkUp(netlink: Netlink, name: string): void {
  netlink.request(RTM_NEWLINK, 0, buildLink({ ...nothing, name, flags: IFF_UP, changeMask: IFF_UP }), `set ${name} up`);
}

/** False when there is none. @throws SystemError EPERM, EOPNOTSUPP */
export const removeLink = (netlink: Netlink, name: string): boolean => remove(netlink, { ...nothing, name }, name);

/** All of a group at once: one by one each takes tens of milliseconds. False when there are none. @throws SystemError EPERM */
export const removeLinkGroup = (netlink: Netlink, group: number): boolean =>
  remove(netlink, { ...nothing, otherAttributes: [groupAttribute(group)] }, `the links of group ${group}`);

function remove(netlink: Netlink, link: LinkMessage, what: string): boolean {
  try {
    netlink.request(RTM_DELLINK, 0, buildLink(link), `remove ${what}`);
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === "ENODEV") return false;
    throw error;
  }
}
