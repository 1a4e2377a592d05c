/**
 * Packets as strangers and bad luck send them, and changes as operators make them, for the data plane of `data-plane.ts`.
 * All follow from a seed.
 */

import type { IpAddress } from "../../src/base/ip.ts";
import type { ServerEntry, ServerKey, ServerSettings, ServiceKey, ServiceSettings } from "../../src/director/plane.ts";
import type { Tables } from "../../src/director/tables.ts";
import { ACK, FIN, type Flow, type FrameOptions, frame, RST, SYN } from "./frames.ts";
import { markKey, serverKey, serverSettings, serviceKey, serviceSettings } from "./tables.ts";

/** Marsaglia's xorshift: whole numbers below `limit`. */
export type Draw = (limit: number) => number;

export function drawFrom(seed: number): Draw {
  let state = (seed * 2654435761) >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
}

const pick = <T>(draw: Draw, of: readonly T[]): T => of[draw(of.length)] as T;
const address = (text: string): IpAddress => serverKey(text, 0).address;

const CLIENTS = {
  4: ["10.1.0.2", "10.1.0.3", "10.1.0.130", "10.1.7.0", "10.9.0.1", "10.2.0.2"].map(address),
  6: ["fd01::2", "fd01::3", "fd01:0:0:1::2", "fd09::1", "fd02::2"].map(address),
} as const;
const VIPS = { 4: ["10.9.0.1", "10.9.0.2"], 6: ["fd09::1", "fd09::2"] } as const;
const SERVERS = {
  4: ["10.2.0.2", "10.2.0.3", "10.2.0.4", "10.2.0.5"],
  6: ["fd02::2", "fd02::3", "fd02::4", "fd02::5"],
} as const;
const SOURCE_PORTS = [40000, 40001, 40002, 40003, 80, 20, 0];
const PORTS = [80, 80, 443, 21, 0];
const FLAGS = [SYN, SYN, SYN, ACK, ACK, ACK, FIN | ACK, FIN | ACK, RST, RST | ACK, SYN | ACK, SYN | FIN, SYN | RST, 0];
const METHODS = ["nat", "nat", "dr", "tun"] as const;
const SCHEDULERS = [
  "rr",
  "wrr",
  "lc",
  "wlc",
  "sh",
  "dh",
  "mh",
  "sed",
  "nq",
  "fo",
  "ovf",
  "lblc",
  "lblcr",
  "twos",
] as const;
export const MARK = 7;

/** A packet of a client or of a server, whole or cut or not a packet at all. */
export function randomFrame(draw: Draw): Uint8Array {
  const family = pick(draw, [4, 4, 6] as const);
  const protocol = pick(draw, ["tcp", "tcp", "udp"] as const);
  const client = { source: pick(draw, CLIENTS[family]), sourcePort: pick(draw, SOURCE_PORTS) };
  const flow: Flow =
    draw(4) > 0
      ? { protocol, ...client, destination: address(pick(draw, VIPS[family])), destinationPort: pick(draw, PORTS) }
      : {
          protocol,
          source: address(pick(draw, SERVERS[family])),
          sourcePort: pick(draw, [8080, 80, 443]),
          destination: client.source,
          destinationPort: client.sourcePort,
        };
  const options: FrameOptions = {
    flags: pick(draw, FLAGS),
    ttl: draw(30) === 0 ? draw(3) : 64,
    payloadBytes: draw(20) === 0 ? 1480 : draw(40),
    acknowledged: draw(2 ** 31),
    dontFragment: draw(2) === 0,
  };
  const bytes = frame(flow, options);
  return draw(8) === 0 ? mutated(draw, bytes) : bytes;
}

/** Cut, lengthened, or with a few other bytes behind the hardware addresses. The kernel wants the IP header whole. */
function mutated(draw: Draw, bytes: Uint8Array): Uint8Array {
  const kind = draw(4);
  const least = bytes[12] === 8 ? 34 : 54;
  if (kind === 0) return bytes.slice(0, least + draw(bytes.length - least));
  if (kind === 1) return Uint8Array.from([...bytes, ...new Uint8Array(draw(64))]);
  const other = bytes.slice();
  for (let n = 0; n <= draw(4); n++) other[12 + draw(kind === 2 ? 30 : other.length - 12)] = draw(256);
  return other;
}

const familyOf = (key: ServiceKey): 4 | 6 => (key.kind === "mark" ? key.family : key.address.includes(":") ? 6 : 4);

function randomSettings(draw: Draw, key: ServiceKey, persistence: number): ServiceSettings {
  const anyPort = key.kind === "address" && key.port === 0;
  const family = familyOf(key);
  return serviceSettings({
    scheduler: pick(draw, SCHEDULERS),
    persistence: anyPort || draw(3) === 0 ? persistence : undefined,
    netmaskBits: family === 4 ? pick(draw, [32, 24, 16]) : pick(draw, [128, 64]),
    onePacket: draw(6) === 0,
    flags: { fallback: draw(2) === 0, port: draw(2) === 0, flag3: false },
    onServerDown: pick(draw, ["reset", "move", "keep"]),
  });
}

function randomServer(draw: Draw): ServerSettings {
  const upperThreshold = pick(draw, [0, 0, 0, 3, 8]);
  const settings = { method: pick(draw, METHODS), weight: pick(draw, [0, 1, 1, 3]), upperThreshold };
  return serverSettings({ ...settings, draining: draw(10) === 0 });
}

/** What an operator does, on services that come and go. */
export class Operator {
  readonly #draw: Draw;
  readonly #tables: Tables;
  readonly #persistence: number;
  readonly #keys: readonly ServiceKey[];

  /** @param persistence seconds */
  constructor(draw: Draw, tables: Tables, persistence: number) {
    this.#draw = draw;
    this.#tables = tables;
    this.#persistence = persistence;
    const addresses = ([4, 6] as const).flatMap((family) =>
      VIPS[family].flatMap((vip) =>
        [80, 443, 0, 21].flatMap((port) => [serviceKey(vip, port, "tcp"), serviceKey(vip, port, "udp")]),
      ),
    );
    this.#keys = [...addresses, markKey(MARK, 4), markKey(MARK, 6)];
  }

  begin(): void {
    this.#tables.flush();
    for (const key of this.#keys) this.#addService(key);
  }

  step(): void {
    const key = pick(this.#draw, this.#keys);
    const service = this.#tables.service(key);
    if (service === undefined) {
      this.#addService(key);
      return;
    }
    const server = service.servers.length === 0 ? undefined : pick(this.#draw, service.servers);
    const kind = this.#draw(9);
    if (kind === 0) this.#tables.deleteService(key);
    else if (kind === 1) this.#tables.editService(key, randomSettings(this.#draw, key, this.#persistence));
    else if (kind < 4 && server !== undefined) this.#tables.deleteServer(key, server.key);
    else if (kind < 6 && server !== undefined) this.#tables.editServer(key, server.key, this.#kept(key, server));
    else if (kind < 8) this.#addServer(key);
    else this.#tables.flush();
  }

  /** Another weight and other thresholds, and where family and port let it another method. */
  #kept(service: ServiceKey, { key, settings }: ServerEntry): ServerSettings {
    const after = randomServer(this.#draw);
    const mayChange = service.kind === "address" && key.port === service.port && settings.method !== "tun";
    return mayChange && after.method !== "tun" ? after : { ...after, method: settings.method };
  }

  #addService(key: ServiceKey): void {
    this.#tables.addService(key, randomSettings(this.#draw, key, this.#persistence));
    for (let n = this.#draw(4); n > 0; n--) this.#addServer(key);
  }

  #addServer(key: ServiceKey): void {
    const settings = randomServer(this.#draw);
    const family = settings.method === "tun" ? pick(this.#draw, [4, 6] as const) : familyOf(key);
    const port =
      key.kind === "mark" || key.port === 0 ? 0 : settings.method === "nat" ? pick(this.#draw, [8080, 80]) : key.port;
    const server: ServerKey = serverKey(pick(this.#draw, SERVERS[family]), port);
    const there = this.#tables.service(key)?.servers ?? [];
    if (there.some((other) => other.key.address === server.address && other.key.port === server.port)) return;
    this.#tables.addServer(key, server, settings);
  }
}
