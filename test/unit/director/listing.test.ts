/** Numbers, marks and connections in ipvsadm's tables, as far as no captured command line shows them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../../src/base/ip.ts";
import { type ListingStyle, NUMBERS, serviceLines, servicesHeading } from "../../../src/director/listing.ts";
import { connectionLine, connectionsHeading, timeoutsLine } from "../../../src/director/listing-connections.ts";
import type { ConnectionEntry, Counters, ServerEntry, ServiceEntry } from "../../../src/director/plane.ts";
import { serverKey, serverSettings, serviceKey, serviceSettings } from "../../support/tables.ts";

const counters = (value: bigint): Counters => ({
  connections: value,
  packetsIn: value,
  packetsOut: value,
  bytesIn: value,
  bytesOut: value,
});

const server = (value: bigint, change: Partial<ServerEntry> = {}): ServerEntry => ({
  key: serverKey("192.168.0.1", 80),
  settings: serverSettings(),
  active: 0,
  inactive: 0,
  persistent: 0,
  counters: counters(value),
  rates: counters(value),
  ...change,
});

const service = (value: bigint, change: Partial<ServiceEntry> = {}): ServiceEntry => ({
  key: serviceKey("10.0.0.1", 80),
  settings: serviceSettings({ scheduler: "rr" }),
  servers: [server(value)],
  counters: counters(value),
  rates: counters(value),
  noDestination: 0n,
  ...change,
});

const STYLE: ListingStyle = { view: "plain", exact: false, sort: true, owner: false, naming: NUMBERS };
const lines = (services: readonly ServiceEntry[], style: Partial<ListingStyle>): string[] =>
  [...serviceLines(services, { ...STYLE, ...style })].join("").split("\n").slice(0, -1);

test("large numbers are cut at 8 digits, then to K, M, G and T without rounding", () => {
  const shown = (value: bigint) => lines([service(value)], { view: "stats" })[0]?.slice(33, 42);
  assert.deepEqual(
    [99_999_999n, 100_000_000n, 999_999_999n, 1_000_000_000n, 99_999_999_999n, 100_000_000_000n].map(shown),
    [" 99999999", "  100000K", "  999999K", "    1000M", "   99999M", "     100G"],
  );
  assert.deepEqual([99_999_999_999_999n, 100_000_000_000_000n].map(shown), ["   99999G", "     100T"]);
});

test("--exact shows all digits, with a blank in front when there are more than eight", () => {
  const [row] = lines([service(123_456_789_012n)], { view: "stats", exact: true });
  assert.equal(row, `TCP  10.0.0.1:80                 ${" 123456789012".repeat(5)}`);
});

test("--rate shortens the bytes of servers only, and all numbers of services", () => {
  assert.deepEqual(lines([service(123_456_789n)], { view: "rate" }), [
    "TCP  10.0.0.1:80                   123456K  123456K  123456K  123456K  123456K",
    "  -> 192.168.0.1:80               123456789 123456789 123456789  123456K  123456K",
  ]);
});

test("connections are counted in the plain table, in --thresholds and in --persistent-conn", () => {
  const busy = service(0n, { servers: [server(0n, { active: 12, inactive: 345, persistent: 6 })] });
  const row = (view: ListingStyle["view"]) => lines([busy], { view })[1];
  assert.equal(row("plain"), "  -> 192.168.0.1:80               Masq    1      12         345       ");
  assert.equal(row("thresholds"), "  -> 192.168.0.1:80               0          0          12         345       ");
  assert.equal(row("persistent-conn"), "  -> 192.168.0.1:80               1         6           12         345       ");
});

test("the daemon's services are marked when that is asked for, in every view", () => {
  const daemons = service(0n, { settings: serviceSettings({ scheduler: "rr", owner: "daemon" }), servers: [] });
  assert.deepEqual(lines([daemons, service(0n, { servers: [] })], { owner: true }), [
    "TCP  10.0.0.1:80 rr  # evenkeel run",
    "TCP  10.0.0.1:80 rr",
  ]);
  assert.match(lines([daemons], { owner: true, view: "stats" })[0] ?? "", / {8}0 {2}# evenkeel run$/);
  assert.deepEqual(lines([daemons], {}), ["TCP  10.0.0.1:80 rr"]);
});

test("headings end as ipvsadm's do", () => {
  assert.equal(
    servicesHeading("persistent-conn"),
    "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n  -> RemoteAddress:Port\n",
  );
  assert.match(connectionsHeading(true), /destination {8}pe name {10}pe_data\n$/);
});

const connection = (change: Partial<ConnectionEntry>): ConnectionEntry => ({
  protocol: "tcp",
  expiresInMs: 116_999,
  state: "FIN_WAIT",
  client: serverKey("10.1.0.2", 60834),
  virtual: serverKey("10.1.0.100", 81),
  destination: serverKey("10.1.0.12", 81),
  ...change,
});

test("a connection is a row as the kernel's IPVS gave it", () => {
  const rows: [Partial<ConnectionEntry>, string][] = [
    [{}, "TCP 01:56  FIN_WAIT    10.1.0.2:60834     10.1.0.100:81      10.1.0.12:81\n"],
    [
      { expiresInMs: 49_000, state: "ASSURED", client: serverKey("10.1.0.2", 0) },
      "TCP 00:49  ASSURED     10.1.0.2:0         10.1.0.100:81      10.1.0.12:81\n",
    ],
    [
      { protocol: "udp", expiresInMs: 298_000, state: "UDP" },
      "UDP 04:58  UDP         10.1.0.2:60834     10.1.0.100:81      10.1.0.12:81\n",
    ],
    [
      { protocol: "ip", expiresInMs: 6_000_000, state: "NONE" },
      "IP  100:00 NONE        10.1.0.2:60834     10.1.0.100:81      10.1.0.12:81\n",
    ],
    [
      {
        client: serverKey("2001:db8::2", 4000),
        virtual: serverKey("2001:db8::1", 80),
        destination: serverKey("2001:db8:1::1", 80),
      },
      "TCP 01:56  FIN_WAIT    [2001:db8::2]:4000 [2001:db8::1]:80   [2001:db8:1::1]:80\n",
    ],
  ];
  for (const [change, row] of rows) assert.equal(connectionLine(connection(change), NUMBERS), row);
  assert.equal(timeoutsLine({ tcp: 900, tcpFin: 120, udp: 300 }), "Timeout (tcp tcpfin udp): 900 120 300\n");
});

test("names that are too long for the column are cut, but not those of IPv6", () => {
  const naming = { address: () => "averyveryverylongname.example.org", port: String };
  const six = parseIp("2001:db8::1");
  assert.ok(six);
  const servers = [server(0n), server(0n, { key: { address: six, port: 80 } })];
  const [, four, long] = lines([service(0n, { servers })], { naming });
  assert.equal(four, "  -> averyveryverylongname.exampl Masq    1      0          0         ");
  assert.equal(long, "  -> [averyveryverylongname.example.org]:80 Masq    1      0          0         ");
});
