import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ipv4Address, ipToBytes } from "../../../src/base/ip.ts";
import { structCodec } from "../../../src/wire/struct-codec.ts";
import { openTables, serverKey, serverSettings, serviceKey, serviceSettings } from "../../support/tables.ts";

const NOW = 1_000_000_000_000n;
const SECOND = 1_000_000_000n;
const word = (address: string) => new DataView(ipToBytes(address as Ipv4Address).buffer).getUint32(0);

interface Given {
  readonly client?: string;
  readonly port?: number;
  readonly virtual?: string;
  readonly protocol?: number;
  readonly state: string;
  readonly flags?: readonly string[];
  readonly secondsAgo?: number;
  readonly timeoutMs?: number;
  readonly acknowledged?: number;
}

function withConnections(...all: readonly Given[]) {
  const opened = openTables();
  const { tables, maps, layouts, set } = opened;
  const service = serviceKey("10.0.0.1", 80);
  tables.addService(service, serviceSettings());
  tables.addServer(service, serverKey("10.1.0.1", 8080), serverSettings());
  const key = structCodec(set.btf, "ek_connection_key4");
  const value = structCodec(set.btf, "ek_connection");
  for (const given of all) {
    maps.connections4.update(
      key.encode({
        client_be: word(given.client ?? "10.2.0.1"),
        virtual_be: word(given.virtual ?? "10.0.0.1"),
        client_port_be: given.port ?? 4000,
        virtual_port_be: 80,
        protocol: given.protocol ?? 6,
      }),
      value.encode({
        last_ns: NOW - BigInt(given.secondsAgo ?? 0) * SECOND,
        state: given.state === "expired" ? 0xff : layouts.value(`EK_${given.state}`),
        server: 0,
        flags: (given.flags ?? []).reduce((bits, name) => bits | layouts.value(`EK_CONNECTION_${name}`), 0),
        timeout_ms: given.timeoutMs ?? 0,
        acknowledged_be: given.acknowledged ?? 0,
        destination_port_be: 8080,
      }),
    );
  }
  return { ...opened, service };
}

test("a connection is shown with its state, its three ends, and the time that its state leaves it", () => {
  const { tables } = withConnections({ state: "FIN_WAIT", secondsAgo: 20 });
  assert.deepEqual(
    [...tables.connections()],
    [
      {
        protocol: "tcp",
        expiresInMs: 100_000,
        state: "FIN_WAIT",
        client: serverKey("10.2.0.1", 4000),
        virtual: serverKey("10.0.0.1", 80),
        destination: serverKey("10.1.0.1", 8080),
      },
    ],
  );
});

test("UDP flows, templates and templates of marks have states of their own; what has expired is not shown", () => {
  const { tables } = withConnections(
    { state: "UDP", protocol: 17, port: 1 },
    { state: "NONE", flags: ["TEMPLATE"], port: 0, timeoutMs: 360_000, secondsAgo: 60 },
    { state: "NONE", flags: ["TEMPLATE", "ASSURED"], port: 0, protocol: 0, virtual: "0.0.0.7", timeoutMs: 60_000 },
    { state: "expired", port: 2 },
  );
  assert.deepEqual(
    Array.from(tables.connections(), (each) => [each.protocol, each.state, each.expiresInMs, each.virtual.address]),
    [
      ["udp", "UDP", 300_000, "10.0.0.1"],
      ["tcp", "NONE", 300_000, "10.0.0.1"],
      ["ip", "ASSURED", 60_000, "0.0.0.7"],
    ],
  );
});

test("an answer of the server keeps a NAT connection alive as well as the client's packets", () => {
  const { tables, maps, set } = withConnections({ state: "ESTABLISHED", flags: ["REPLY"], secondsAgo: 100 });
  assert.deepEqual(
    Array.from(tables.connections(), (each) => each.expiresInMs),
    [800_000],
  );
  const key = structCodec(set.btf, "ek_reply_key4").encode({
    server_be: word("10.1.0.1"),
    client_be: word("10.2.0.1"),
    server_port_be: 8080,
    client_port_be: 4000,
    protocol: 6,
  });
  maps.replies4.update(key, structCodec(set.btf, "ek_reply").encode({ last_ns: NOW - 5n * SECOND }));
  assert.deepEqual(
    Array.from(tables.connections(), (each) => each.expiresInMs),
    [895_000],
  );
});

test("resets go to clients of TCP connections that have begun and not ended", () => {
  const { tables, service } = withConnections(
    { state: "ESTABLISHED", port: 1, acknowledged: 77 },
    { state: "CLOSE_WAIT", port: 2, acknowledged: 0xffff_fff0 },
    { state: "SYN_RECV", port: 3 },
    { state: "TIME_WAIT", port: 4, acknowledged: 5 },
    { state: "UDP", port: 5, protocol: 17, acknowledged: 5 },
    { state: "ESTABLISHED", port: 6, acknowledged: 5, flags: ["OWN"] },
    { state: "NONE", port: 0, acknowledged: 5, flags: ["TEMPLATE"] },
  );
  tables.deleteServer(service, serverKey("10.1.0.1", 8080));
  assert.deepEqual(
    Array.from(tables.resetTargets(new Set([0])), ({ client, virtual, sequence }) => [
      client.port,
      virtual.port,
      sequence,
    ]),
    [
      [1, 80, 77],
      [2, 80, 0xffff_fff0],
    ],
  );
  assert.deepEqual([...tables.resetTargets(new Set([1]))], []);
});
