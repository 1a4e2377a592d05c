/** Names of hosts and of ports for ipvsadm: the resolver's, and /etc/services (services(5)). */

import { lookup, lookupService } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { type IpAddress, type Ipv4Address, parseIpv4 } from "../base/ip.ts";
import type { Names } from "../config/ipvsadm/values.ts";
import { addressText, type Naming } from "../director/listing.ts";

export interface Resolver extends Names {
  /** Finds out what `host` answers from then on. */
  resolve(name: string): Promise<void>;
  /** Names of these addresses and of all ports; what has none stays a number. */
  naming(addresses: Iterable<IpAddress>): Promise<Naming>;
}

/** `services`: the file that names ports. */
export function systemResolver(services = "/etc/services"): Resolver {
  const hosts = new Map<string, Ipv4Address | "unknown">();
  let ports: PortNames | undefined;
  const portNames = () => {
    ports ??= readPortNames(services);
    return ports;
  };
  return {
    host: (name) => hosts.get(name),
    port: (name, protocol) => portNames().byName.get(protocol === undefined ? name : `${name}/${protocol}`),
    resolve: async (name) => {
      const found = await lookup(name, { family: 4 }).catch(() => undefined);
      hosts.set(name, parseIpv4(found?.address ?? "") ?? "unknown");
    },
    naming: async (addresses) => {
      const names = new Map<IpAddress, string>();
      await Promise.all(
        [...new Set(addresses)].map(async (address) => {
          const found = await lookupService(address, 0).catch(() => undefined);
          names.set(address, found?.hostname ?? addressText(address));
        }),
      );
      return {
        address: (address) => names.get(address) ?? addressText(address),
        port: (port, protocol) => portNames().byPort.get(`${port}/${protocol}`) ?? String(port),
      };
    },
  };
}

interface PortNames {
  /** `http/tcp` and `http`, aliases too; the first that is listed counts. */
  readonly byName: ReadonlyMap<string, number>;
  /** `80/tcp`; the first that is listed counts. */
  readonly byPort: ReadonlyMap<string, string>;
}

/** A machine without the file has no names of ports. */
function readPortNames(file: string): PortNames {
  const byName = new Map<string, number>();
  const byPort = new Map<string, string>();
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {}
  for (const line of text.split("\n")) {
    const [name, entry = "", ...aliases] = (line.split("#")[0] ?? "").trim().split(/\s+/);
    const [port = "", protocol] = entry.split("/");
    if (name === undefined || protocol === undefined || !/^[0-9]{1,5}$/.test(port)) continue;
    for (const one of [name, ...aliases]) {
      for (const key of [one, `${one}/${protocol}`]) if (!byName.has(key)) byName.set(key, Number(port));
    }
    if (!byPort.has(entry)) byPort.set(entry, name);
  }
  return { byName, byPort };
}
