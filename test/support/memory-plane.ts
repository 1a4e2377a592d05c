/** A data plane that is only remembered: what the director asked for, with ipvs's rules for mistakes. Moves no packet. */

import {
  type Counters,
  type Plane,
  PlaneError,
  type ServerEntry,
  type ServerKey,
  type ServerSettings,
  type ServiceEntry,
  type ServiceKey,
  type ServiceSettings,
  type Timeouts,
} from "../../src/director/plane.ts";
import type { PoolMember } from "../../src/health/virtual-server-messages.ts";

const NOTHING: Counters = { connections: 0n, packetsIn: 0n, packetsOut: 0n, bytesIn: 0n, bytesOut: 0n };

interface Service {
  readonly key: ServiceKey;
  settings: ServiceSettings;
  servers: PoolMember[];
}

export class MemoryPlane implements Plane {
  readonly calls: string[] = [];
  readonly list: Service[] = [];
  /** `10.1.0.1` → active connections. */
  readonly active = new Map<string, number>();
  set: Timeouts = { tcp: 900, tcpFin: 120, udp: 300 };

  addService(key: ServiceKey, settings: ServiceSettings): void {
    if (this.#find(key) !== undefined) throw new PlaneError("EEXIST", "service exists");
    this.#say(`add ${shown(key)} ${settings.scheduler}`);
    this.list.push({ key, settings, servers: [] });
  }
  editService(key: ServiceKey, settings: ServiceSettings): void {
    this.#say(`edit ${shown(key)} ${settings.scheduler} ${settings.onServerDown}`);
    this.#service(key).settings = settings;
  }
  deleteService(key: ServiceKey): void {
    this.#say(`delete ${shown(key)}`);
    this.list.splice(this.list.indexOf(this.#service(key)), 1);
  }
  addServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void {
    const { servers } = this.#service(service);
    if (servers.some((one) => one.key.address === key.address)) throw new PlaneError("EEXIST", "server exists");
    this.#say(`+ ${key.address} ${settings.weight}`);
    servers.unshift({ key, settings });
  }
  editServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void {
    const { servers } = this.#service(service);
    const index = servers.findIndex((one) => one.key.address === key.address);
    if (index < 0) throw new PlaneError("ENOENT", "no such server");
    this.#say(`= ${key.address} ${settings.weight}`);
    servers[index] = { key, settings };
  }
  deleteServer(service: ServiceKey, key: ServerKey): void {
    const { servers } = this.#service(service);
    const index = servers.findIndex((one) => one.key.address === key.address);
    if (index < 0) throw new PlaneError("ENOENT", "no such server");
    this.#say(`- ${key.address}`);
    servers.splice(index, 1);
  }
  replaceServers(service: ServiceKey, members: readonly PoolMember[]): void {
    this.#service(service).servers = [...members];
    this.#say(`all ${members.map(({ key, settings }) => `${key.address} ${settings.weight}`).join(", ")}`);
  }
  flush(): void {
    this.#say("flush");
    this.list.length = 0;
  }
  zero(): void {}
  services(): readonly ServiceEntry[] {
    return this.list.map((one) => this.#entry(one));
  }
  service(key: ServiceKey): ServiceEntry | undefined {
    const found = this.#find(key);
    return found === undefined ? undefined : this.#entry(found);
  }
  connections(): [] {
    return [];
  }
  timeouts(): Timeouts {
    return this.set;
  }
  setTimeouts(timeouts: Timeouts): void {
    this.set = timeouts;
  }
  table() {
    const empty = { connections: 0, connectionsIpv4: 0, connectionsIpv6: 0, halfOpen: 0 };
    return { capacity: 1000, ...empty, refusedFull: 0n, reasons: {} };
  }

  /** `10.1.0.1 1`, in scheduling order, of the first service. */
  get members(): string[] {
    return (this.list[0]?.servers ?? []).map(({ key, settings }) => `${key.address} ${settings.weight}`);
  }

  take(): string[] {
    return this.calls.splice(0);
  }

  #say(call: string): void {
    this.calls.push(call);
  }
  #find(key: ServiceKey): Service | undefined {
    return this.list.find((one) => shown(one.key) === shown(key));
  }
  #service(key: ServiceKey): Service {
    const found = this.#find(key);
    if (found === undefined) throw new PlaneError("ESRCH", "no such service");
    return found;
  }
  #entry({ key, settings, servers }: Service): ServiceEntry {
    const entries = servers.map(
      (one): ServerEntry => ({
        ...one,
        active: this.active.get(one.key.address) ?? 0,
        inactive: 0,
        persistent: 0,
        counters: NOTHING,
        rates: NOTHING,
      }),
    );
    return { key, settings, servers: entries, counters: NOTHING, rates: NOTHING, noDestination: 0n };
  }
}

const shown = (key: ServiceKey): string =>
  key.kind === "mark" ? `FWM ${key.mark}` : `${key.protocol} ${key.address}:${key.port}`;
