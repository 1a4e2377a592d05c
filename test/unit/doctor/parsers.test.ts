import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseIpvs, parseSockets } from "../../../src/daemon/doctor/proc-net.ts";
import { parseIptablesSave, parseNftRuleset } from "../../../src/daemon/doctor/redirects.ts";

test("sockets that wait for clients are read from /proc/net, connections are not", () => {
  const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 6400000A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1
`;
  assert.deepEqual(parseSockets(tcp, "tcp", 4), [
    { protocol: "tcp", address: undefined, family: 4, port: 80 },
    { protocol: "tcp", address: "10.0.0.100", port: 8080 },
  ]);
  const udp6 = "   9: 000000FD000000000000000000010000:0035 00000000000000000000000000000000:0000 07 0:0 0:0 0 0 0 1";
  assert.deepEqual(parseSockets(udp6, "udp", 6), [{ protocol: "udp", address: "fd00::100", port: 53 }]);
  const any6 = "   9: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1";
  assert.deepEqual(parseSockets(any6, "tcp", 6), [{ protocol: "tcp", address: undefined, port: 80 }]);
});

test("services of the kernel's IPVS are read from its table", () => {
  const table = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  AC1C80C8:0050 rr
  -> AC1C806E:0050      Route   1      0          0
UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 wlc
FWM  00000005 wlc
`;
  assert.deepEqual(parseIpvs(table), [
    { protocol: "tcp", address: "172.28.128.200", port: 80 },
    { protocol: "udp", address: "2001:db8::1", port: 53 },
  ]);
});

test("a REDIRECT is found in what iptables-save prints", () => {
  const saved = `*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -d 172.28.128.200/32 -p tcp -m tcp --dport 80 -j REDIRECT
-A PREROUTING ! -d 10.0.0.1/32 -p tcp -j REDIRECT --to-ports 3128
-A PREROUTING -d 10.0.0.2/32 -p tcp -j DNAT --to-destination 10.0.0.3
-A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80
COMMIT
`;
  assert.deepEqual(parseIptablesSave(saved), [
    { address: "172.28.128.200", port: 80 },
    { address: undefined, port: 8080 },
  ]);
});

test("a REDIRECT is found in nft's ruleset, its own and one of iptables-nft", () => {
  const match = (protocol: string, field: string, right: unknown) => ({
    match: { op: "==", left: { payload: { protocol, field } }, right },
  });
  const rule = (...expr: unknown[]) => ({ rule: { family: "ip", table: "nat", chain: "prerouting", expr } });
  const ruleset = {
    nftables: [
      { metainfo: { version: "1.0.6" } },
      rule(match("ip", "daddr", "10.0.0.100"), match("tcp", "dport", 80), { redirect: null }),
      rule(match("ip", "daddr", "10.0.0.101"), { counter: {} }, { xt: { type: "target", name: "REDIRECT" } }),
      rule(match("ip", "daddr", "10.0.0.102"), { drop: null }),
    ],
  };
  assert.deepEqual(parseNftRuleset(JSON.stringify(ruleset)), [
    { address: "10.0.0.100", port: 80 },
    { address: "10.0.0.101", port: undefined },
  ]);
});

test("whatever a table or a command prints gives values, never an exception", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      for (const found of [
        parseIpvs(text),
        parseSockets(text, "tcp", 6),
        parseIptablesSave(text),
        parseNftRuleset(text),
      ]) {
        assert.ok(Array.isArray(found));
      }
    }),
  );
});
