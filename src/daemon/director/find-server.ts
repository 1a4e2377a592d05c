/** Which servers a person means who writes `10.0.0.1:80`, `[10.0.0.1]:tcp:80`, `10.0.0.1` or a group's name. */

import { fail, ok, type Result } from "../../base/result.ts";
import type { RealServer, VirtualServer } from "../../config/model/virtual-server.ts";
import type { ServerKey } from "../../director/plane.ts";
import { serverName } from "../../health/checker-lines.ts";

/** The first of the names that all virtual servers can be called by that fits one of them alone. */
export function findVirtualServer(all: readonly VirtualServer[], text: string): Result<number, string> {
  const names = all.map(({ name, services }) => [
    name,
    ...services.flatMap((key) =>
      key.kind === "address" ? addressNames(key) : [`FWM ${key.mark}`, `fwmark ${key.mark}`],
    ),
  ]);
  return only(
    names,
    text,
    "virtual server",
    all.map(({ name }) => name),
  );
}

export function findRealServer(virtual: VirtualServer, text: string): Result<number, string> {
  const names = virtual.realServers.map((one: RealServer) => [serverName(virtual, one.key), ...addressNames(one.key)]);
  return only(
    names,
    text,
    `real server of ${virtual.name}`,
    names.map(([name = ""]) => name),
  );
}

const addressNames = ({ address, port }: ServerKey): string[] => [
  `${address}:${port}`,
  `[${address}]:${port}`,
  `${address} ${port}`,
  address,
];

function only(
  names: readonly (readonly string[])[],
  text: string,
  what: string,
  known: readonly string[],
): Result<number, string> {
  const found = names.flatMap((some, index) => (some.includes(text) ? [index] : []));
  const [index] = found;
  if (index !== undefined && found.length === 1) return ok(index);
  const list = known.slice(0, 20).join(", ");
  return fail(
    index === undefined
      ? `no ${what} is called ${text}; there ${known.length === 0 ? "are none" : `is ${list}`}`
      : `${text} may be ${found.map((one) => known[one]).join(" or ")}`,
  );
}
