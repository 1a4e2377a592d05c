/**
 * Reads the connection tables as they stream by: for `ipvsadm -Lnc`, and for telling clients whose server is gone.
 *
 * A million entries, so fields are read where they lie, by offsets from the object's type information. Changes nothing: an
 * entry belongs to the programs and its timer.
 */

import { type IpAddress, ipToBytes, ipv4FromBytes, ipv6FromBytes } from "../base/ip.ts";
import type { Layouts, SettingsStruct } from "./layouts.ts";
import type { MapSet, TableMap } from "./map-set.ts";
import type { ConnectionEntry, ServerKey } from "./plane.ts";
import { STATES } from "./settings.ts";

/** What a reset to a client is made of. */
export interface ResetTarget {
  readonly client: ServerKey;
  readonly virtual: ServerKey;
  /** The last acknowledgement that the client sent: the sequence number that it takes a reset with. */
  readonly sequence: number;
}

export interface ConnectionReader {
  /** @param now as CLOCK_MONOTONIC, nanoseconds */
  entries(
    addressOf: (server: number) => ServerKey | undefined,
    settings: SettingsStruct,
    now: bigint,
  ): Iterable<ConnectionEntry>;
  /** TCP connections of these servers that have not ended. Templates are none. */
  resetTargets(servers: ReadonlySet<number>): Iterable<ResetTarget>;
}

/** EK_EXPIRED. */
const EXPIRED = 0xff;
const TCP = 6;
const UDP = 17;

export function connectionReader(set: MapSet, layouts: Layouts): ConnectionReader {
  const { maps } = set;
  const tables = [
    { map: maps.connections4, key: keyLayout(layouts, 4), reply: replyLookup(maps.replies4, layouts, 4) },
    { map: maps.connections6, key: keyLayout(layouts, 6), reply: replyLookup(maps.replies6, layouts, 6) },
  ];
  const at = layouts.offsets("ek_connection");
  const offset = {
    last: at("last_ns"),
    state: at("state"),
    server: at("server"),
    flags: at("flags"),
    timeout: at("timeout_ms"),
    acknowledged: at("acknowledged_be"),
    port: at("destination_port_be"),
    own: at("own"),
  };
  const states = stateNames(layouts);
  const ended = new Set(["CLOSE", "TIME_WAIT"]);
  const TEMPLATE = layouts.value("EK_CONNECTION_TEMPLATE");
  const ASSURED = layouts.value("EK_CONNECTION_ASSURED");
  const REPLY = layouts.value("EK_CONNECTION_REPLY");
  const OWN = layouts.value("EK_CONNECTION_OWN");

  return {
    *entries(addressOf, settings, now) {
      for (const { map, key: layout, reply } of tables) {
        for (const [key, value] of map.entries()) {
          const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
          const state = view.getUint32(offset.state, true);
          if (state === EXPIRED) continue;
          const bits = view.getUint32(offset.flags, true);
          const { client, virtual, protocol } = layout.read(key);
          const server = addressOf(view.getUint32(offset.server, true));
          const isTemplate = (bits & TEMPLATE) !== 0;
          // A template keeps no port; IPVS shows the server's, and 0 where the template is for all ports.
          const templatePort = virtual.port === 0 ? 0 : (server?.port ?? 0);
          const port = isTemplate ? templatePort : view.getUint16(offset.port);
          const destination = { address: server?.address ?? layout.none, port };
          let last = view.getBigUint64(offset.last, true);
          if ((bits & REPLY) !== 0 && server !== undefined) {
            const own = (bits & OWN) === 0 ? undefined : value.subarray(offset.own, offset.own + 16);
            const replied = reply(destination, own ?? layout.clientBytes(key), client.port, protocol);
            if (replied !== undefined && replied > last) last = replied;
          }
          const timeout = view.getUint32(offset.timeout, true) || (settings.timeout_ms[state] ?? 0);
          yield {
            protocol: protocol === TCP ? "tcp" : protocol === UDP ? "udp" : "ip",
            expiresInMs: Math.max(0, timeout - Number((now - last) / 1_000_000n)),
            state: isTemplate ? ((bits & ASSURED) !== 0 ? "ASSURED" : "NONE") : (states[state] ?? "NONE"),
            client,
            virtual,
            destination,
          };
        }
      }
    },

    *resetTargets(servers) {
      for (const { map, key: layout } of tables) {
        for (const [key, value] of map.entries()) {
          const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
          if (!servers.has(view.getUint32(offset.server, true))) continue;
          const state = view.getUint32(offset.state, true);
          if (state === EXPIRED || ended.has(states[state] ?? "")) continue;
          if ((view.getUint32(offset.flags, true) & (TEMPLATE | OWN)) !== 0) continue;
          const { client, virtual, protocol } = layout.read(key);
          const sequence = view.getUint32(offset.acknowledged);
          // 0: it has not acknowledged anything yet, so it takes no reset either and sends its SYN again.
          if (protocol === TCP && sequence !== 0) yield { client, virtual, sequence };
        }
      }
    },
  };
}

/** As IPVS prints them: the names of `enum ek_state` without the prefix. */
function stateNames(layouts: Layouts): readonly string[] {
  const names: string[] = [];
  for (const name of STATES) names[layouts.value(name)] = name.slice("EK_".length);
  return names;
}

interface KeyLayout {
  /** Of this family, for a server that nobody knows any more. */
  readonly none: IpAddress;
  read(key: Uint8Array): { client: ServerKey; virtual: ServerKey; protocol: number };
  clientBytes(key: Uint8Array): Uint8Array;
}

function keyLayout(layouts: Layouts, family: 4 | 6): KeyLayout {
  const at = layouts.offsets(`ek_connection_key${family}`);
  const client = at(family === 4 ? "client_be" : "client");
  const virtual = at(family === 4 ? "virtual_be" : "virtual");
  const clientPort = at("client_port_be");
  const virtualPort = at("virtual_port_be");
  const protocol = at("protocol");
  const address = family === 4 ? ipv4FromBytes : ipv6FromBytes;
  const length = family === 4 ? 4 : 16;
  return {
    none: address(new Uint8Array(16)),
    clientBytes: (key) => key.subarray(client, client + length),
    read(key) {
      const port = (offset: number) => ((key[offset] ?? 0) << 8) | (key[offset + 1] ?? 0);
      return {
        client: { address: address(key, client), port: port(clientPort) },
        virtual: { address: address(key, virtual), port: port(virtualPort) },
        protocol: key[protocol] ?? 0,
      };
    },
  };
}

/** When a server last answered: NAT connections live on that too. */
function replyLookup(map: TableMap, layouts: Layouts, family: 4 | 6) {
  const at = layouts.offsets(`ek_reply_key${family}`);
  const [server, client] = family === 4 ? [at("server_be"), at("client_be")] : [at("server"), at("client")];
  const serverPort = at("server_port_be");
  const clientPort = at("client_port_be");
  const protocolAt = at("protocol");
  const last = layouts.offsets("ek_reply")("last_ns");
  const length = family === 4 ? 4 : 16;
  const key = new Uint8Array(map.information.keyBytes);
  const view = new DataView(key.buffer);
  let known: { address: IpAddress; bytes: Uint8Array } | undefined;
  const bytesOf = (address: IpAddress) => {
    if (known?.address !== address) known = { address, bytes: ipToBytes(address) };
    return known.bytes;
  };
  return (destination: ServerKey, from: Uint8Array, port: number, protocol: number): bigint | undefined => {
    const address = bytesOf(destination.address);
    if (address.length !== length) return undefined;
    key.set(address, server);
    key.set(from.subarray(0, length), client);
    view.setUint16(serverPort, destination.port);
    view.setUint16(clientPort, port);
    key[protocolAt] = protocol;
    const value = map.lookup(key);
    if (value === undefined) return undefined;
    return new DataView(value.buffer, value.byteOffset, value.byteLength).getBigUint64(last, true);
  };
}
