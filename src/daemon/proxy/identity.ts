/**
 * Who a proxy becomes before it reads from strangers: `user`, `group`, `uid`, `gid` of haproxy.cfg's `global`, or nobody.
 *
 * The supervisor asks too, before it starts a proxy, so that an unknown name is an error of the configuration.
 */

import type { ProxyGlobal } from "../../config/model/proxy.ts";
import { type Identity, lookupGroup, lookupUser } from "../../sys/privileges.ts";

/** Where /etc/passwd has no nobody. */
const NOBODY: Identity = { uid: 65534, gid: 65534 };

/** @throws {Error} for a user or group that does not exist */
export function proxyIdentity({ user, group, uid, gid }: ProxyGlobal): Identity {
  const named = user === undefined ? undefined : lookupUser(user);
  if (user !== undefined && named === undefined) throw new Error(`global: user ${user} does not exist`);
  const groupId = group === undefined ? undefined : lookupGroup(group);
  if (group !== undefined && groupId === undefined) throw new Error(`global: group ${group} does not exist`);
  const fallback = lookupUser("nobody") ?? NOBODY;
  return { uid: uid ?? named?.uid ?? fallback.uid, gid: gid ?? groupId ?? named?.gid ?? fallback.gid };
}
