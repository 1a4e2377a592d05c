/** The data plane's programs over single packets: what leaves, what is answered, and IPVS's state tables (l4.md §1.3). */

import assert from "node:assert/strict";
import { ipToBytes } from "../../src/base/ip.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { after, before, describe, test } from "../support/bpf-tests.ts";
import { DataPlane } from "../support/data-plane.ts";
import { ACK, FIN, type Flow, frame, icmpError, RST, SYN, seeFrame, seePacket } from "../support/frames.ts";
import { serverKey, serverSettings, serviceKey, serviceSettings } from "../support/tables.ts";

const REDIRECT = 7;
const DROP = 2;
const LEAVE = -1;

const ADDRESSES = {
  4: { client: "10.1.0.2", vip: "10.9.0.1", server: "10.2.0.2" },
  6: { client: "fd01::2", vip: "fd09::1", server: "fd02::2" },
} as const;

function flowOf(family: 4 | 6, protocol: "tcp" | "udp" = "tcp", sourcePort = 40000): Flow {
  const { client, vip } = ADDRESSES[family];
  const source = serverKey(client, 0).address;
  return { protocol, source, sourcePort, destination: serverKey(vip, 0).address, destinationPort: 80 };
}

function answerOf(family: 4 | 6, protocol: "tcp" | "udp" = "tcp"): Flow {
  const { client, server } = ADDRESSES[family];
  const source = serverKey(server, 0).address;
  return { protocol, source, sourcePort: 8080, destination: serverKey(client, 0).address, destinationPort: 40000 };
}

const bytesOf = (text: string): Uint8Array => ipToBytes(serverKey(text, 0).address);
const ports = (payload: Uint8Array): number[] => {
  const view = new DataView(payload.buffer, payload.byteOffset);
  return [view.getUint16(0), view.getUint16(2)];
};

let plane: DataPlane;
before(async () => {
  plane = await DataPlane.start();
});
after(() => plane[Symbol.asyncDispose]());

function serve(family: 4 | 6, protocol: "tcp" | "udp", method: "nat" | "dr" | "tun", tunnelTo: 4 | 6 = family): void {
  plane.forgetConnections();
  plane.tables.flush();
  const key = serviceKey(ADDRESSES[family].vip, 80, protocol);
  plane.tables.addService(key, serviceSettings({ scheduler: "rr", netmaskBits: family === 4 ? 32 : 128 }));
  const port = method === "nat" ? 8080 : 80;
  plane.tables.addServer(key, serverKey(ADDRESSES[tunnelTo].server, port), serverSettings({ method }));
}

for (const family of [4, 6] as const) {
  for (const protocol of ["tcp", "udp"] as const) {
    const first = { flags: SYN, payloadBytes: 11 };
    const name = `${protocol} over IPv${family}`;

    test(`NAT of ${name} changes address and port, makes one hop and keeps the checksums right`, () => {
      serve(family, protocol, "nat");
      const { verdict, packet } = plane.receive(flowOf(family, protocol), first);
      assert.equal(verdict, REDIRECT);
      const seen = seeFrame(packet);
      assert.deepEqual(seen.destination, bytesOf(ADDRESSES[family].server));
      assert.deepEqual(seen.source, bytesOf(ADDRESSES[family].client));
      assert.deepEqual(ports(seen.payload), [40000, 8080]);
      assert.deepEqual([seen.ttl, seen.headerRight, seen.transportRight], [63, true, true]);
    });

    test(`NAT of ${name} gives answers the virtual address`, () => {
      serve(family, protocol, "nat");
      plane.receive(flowOf(family, protocol), first);
      const { verdict, packet } = plane.receive(answerOf(family, protocol), { flags: SYN | ACK });
      assert.equal(verdict, REDIRECT);
      const seen = seeFrame(packet);
      assert.deepEqual(seen.source, bytesOf(ADDRESSES[family].vip));
      assert.deepEqual(ports(seen.payload), [80, 40000]);
      assert.deepEqual([seen.ttl, seen.headerRight, seen.transportRight], [63, true, true]);
    });

    test(`DR of ${name} changes nothing but the hops`, () => {
      serve(family, protocol, "dr");
      const { verdict, packet } = plane.receive(flowOf(family, protocol), first);
      assert.equal(verdict, REDIRECT);
      const seen = seeFrame(packet);
      assert.deepEqual(seen.destination, bytesOf(ADDRESSES[family].vip));
      assert.deepEqual([seen.ttl, seen.headerRight, seen.transportRight], [63, true, true]);
    });

    for (const outer of [4, 6] as const) {
      test(`TUN of ${name} puts the packet behind an IPv${outer} header`, () => {
        serve(family, protocol, "tun", outer);
        const { verdict, packet } = plane.receive(flowOf(family, protocol), first);
        assert.equal(verdict, REDIRECT);
        const seen = seeFrame(packet);
        assert.deepEqual([seen.family, seen.protocol, seen.headerRight], [outer, family === 4 ? 4 : 41, true]);
        assert.deepEqual(seen.destination, bytesOf(ADDRESSES[outer].server));
        assert.deepEqual(seen.source, bytesOf(outer === 4 ? "10.2.0.1" : "fd02::1"));
        const inner = seePacket(seen.payload);
        assert.deepEqual(inner.destination, bytesOf(ADDRESSES[family].vip));
        assert.deepEqual([inner.ttl, inner.headerRight, inner.transportRight], [63, true, true]);
      });
    }
  }

  test(`IPv${family}: without a server the client is told that the port is unreachable`, () => {
    plane.tables.flush();
    plane.tables.addService(serviceKey(ADDRESSES[family].vip, 80), serviceSettings({ netmaskBits: 32 }));
    const before = plane.reason("NO_SERVER");
    const { verdict, packet } = plane.receive(flowOf(family), { flags: SYN });
    assert.equal(verdict, REDIRECT);
    assert.equal(plane.reason("NO_SERVER"), before + 1);
    expectIcmp(packet, family, family === 4 ? [3, 3] : [1, 4], 0);
  });

  test(`IPv${family}: a packet at its last hop is answered with time exceeded`, () => {
    serve(family, "udp", "dr");
    const { verdict, packet } = plane.receive(flowOf(family, "udp"), { ttl: 1 });
    assert.equal(verdict, REDIRECT);
    expectIcmp(packet, family, family === 4 ? [11, 0] : [3, 0], 0);
  });

  test(`IPv${family}: what does not fit behind the tunnel's header is answered with the MTU that does`, () => {
    serve(family, "udp", "tun", 4);
    const payloadBytes = 1490 - (family === 4 ? 28 : 48);
    const { verdict, packet } = plane.receive(flowOf(family, "udp"), { payloadBytes });
    assert.equal(verdict, REDIRECT);
    expectIcmp(packet, family, family === 4 ? [3, 4] : [2, 0], 1480);
  });

  function expectIcmp(packet: Uint8Array, version: 4 | 6, [type, code]: readonly number[], mtu: number): void {
    const seen = seeFrame(packet);
    assert.equal(seen.protocol, version === 4 ? 1 : 58);
    assert.deepEqual(seen.source, bytesOf(ADDRESSES[version].vip));
    assert.deepEqual(seen.destination, bytesOf(ADDRESSES[version].client));
    assert.deepEqual([seen.payload[0], seen.payload[1]], [type, code]);
    assert.deepEqual([seen.headerRight, seen.transportRight], [true, true]);
    assert.equal(new DataView(seen.payload.buffer).getUint16(6), mtu);
    const quoted = seen.payload.subarray(8);
    assert.deepEqual(quoted.slice(version === 4 ? 16 : 24, version === 4 ? 20 : 40), bytesOf(ADDRESSES[version].vip));
  }
}

const ROUTERS = { 4: ["10.1.0.254", "10.2.0.254"], 6: ["fd01::fe", "fd02::fe"] } as const;

for (const family of [4, 6] as const) {
  const [nearClient, nearServer] = ROUTERS[family].map((text) => serverKey(text, 0).address);
  const { client, vip, server } = ADDRESSES[family];
  const tooBig = family === 4 ? ([3, 4, 1300] as const) : ([2, 0, 1300] as const);

  test(`IPv${family}: an error about what the client sent reaches it with NAT undone inside`, () => {
    serve(family, "tcp", "nat");
    const sent = plane.receive(flowOf(family), { flags: SYN });
    const ends = { source: nearServer ?? "", destination: flowOf(family).source } as Flow;
    const { verdict, packet } = plane.receiveFrame(icmpError(ends, tooBig, sent.packet));
    assert.equal(verdict, REDIRECT);
    const seen = seeFrame(packet);
    assert.deepEqual([seen.source, seen.destination], [bytesOf(vip), bytesOf(client)]);
    assert.deepEqual([seen.ttl, seen.headerRight, seen.transportRight], [63, true, true]);
    const inner = seePacket(seen.payload.subarray(8));
    assert.deepEqual([inner.source, inner.destination], [bytesOf(client), bytesOf(vip)]);
    assert.deepEqual([ports(inner.payload), inner.headerRight], [[40000, 80], true]);
  });

  test(`IPv${family}: an error about what the server answered reaches it with NAT done inside`, () => {
    serve(family, "tcp", "nat");
    plane.receive(flowOf(family), { flags: SYN });
    const answer = plane.receive(answerOf(family), { flags: SYN | ACK });
    const ends = { source: nearClient ?? "", destination: flowOf(family).destination } as Flow;
    const { verdict, packet } = plane.receiveFrame(icmpError(ends, tooBig, answer.packet));
    assert.equal(verdict, REDIRECT);
    const seen = seeFrame(packet);
    assert.deepEqual(seen.destination, bytesOf(server));
    assert.deepEqual([seen.ttl, seen.headerRight, seen.transportRight], [63, true, true]);
    const inner = seePacket(seen.payload.subarray(8));
    assert.deepEqual([inner.source, inner.destination], [bytesOf(server), bytesOf(client)]);
    assert.deepEqual([ports(inner.payload), inner.headerRight], [[8080, 40000], true]);
  });

  test(`IPv${family}: with DR an error about an answer goes to the server as it is`, () => {
    serve(family, "tcp", "dr");
    plane.receive(flowOf(family), { flags: SYN });
    const answer = frame({
      protocol: "tcp",
      source: flowOf(family).destination,
      sourcePort: 80,
      destination: flowOf(family).source,
      destinationPort: 40000,
    });
    const ends = { source: nearClient ?? "", destination: flowOf(family).destination } as Flow;
    const before = icmpError(ends, tooBig, answer);
    const { verdict, packet } = plane.receiveFrame(before);
    assert.equal(verdict, REDIRECT);
    const seen = seeFrame(packet);
    assert.deepEqual([seen.ttl, seen.headerRight, seen.transportRight], [63, true, true]);
    assert.deepEqual(seen.payload, seeFrame(before).payload);
  });

  test(`IPv${family}: an error about something else is left to the stack`, () => {
    serve(family, "tcp", "nat");
    const ends = { source: nearClient ?? "", destination: flowOf(family).destination } as Flow;
    const { verdict } = plane.receiveFrame(icmpError(ends, tooBig, frame(flowOf(family))));
    assert.equal(verdict | 0, LEAVE);
  });
}

test("a UDP packet without a checksum gets none by NAT (RFC 768)", () => {
  serve(4, "udp", "nat");
  const { packet } = plane.receive(flowOf(4, "udp"), { checksum: false });
  assert.deepEqual([...seeFrame(packet).payload.subarray(6, 8)], [0, 0]);
});

/** An IPv4 frame without options in two, the second of which has no ports. */
function halves(whole: Uint8Array): [Uint8Array, Uint8Array] {
  const half = 480;
  const part = (payload: Uint8Array, offset: number) => {
    const bytes = Uint8Array.from([...whole.subarray(0, 34), ...payload]);
    const view = new DataView(bytes.buffer);
    view.setUint16(16, bytes.length - 14);
    view.setUint16(18, 4711);
    view.setUint16(20, offset === 0 ? 0x2000 : offset / 8);
    view.setUint16(24, 0);
    view.setUint16(24, internetChecksum(bytes.subarray(14, 34)));
    return bytes;
  };
  return [part(whole.subarray(34, 34 + half), 0), part(whole.subarray(34 + half), half)];
}

test("the fragments of a packet go to one server, and what they make together has a right checksum", () => {
  serve(4, "udp", "nat");
  const [first, second] = halves(frame(flowOf(4, "udp"), { payloadBytes: 900 })).map((part) =>
    plane.receiveFrame(part),
  );
  assert.deepEqual([first?.verdict, second?.verdict], [REDIRECT, REDIRECT]);
  const parts = [first, second].map((part) => seeFrame(part?.packet ?? new Uint8Array()));
  for (const part of parts) {
    assert.deepEqual(part.destination, bytesOf(ADDRESSES[4].server));
    assert.deepEqual([part.ttl, part.headerRight], [63, true]);
  }
  const whole = frame(
    { ...flowOf(4, "udp"), destination: serverKey(ADDRESSES[4].server, 0).address, destinationPort: 8080 },
    { payloadBytes: 900 },
  );
  assert.deepEqual(
    parts.flatMap((part) => [...part.payload]),
    [...seeFrame(whole).payload],
  );
});

test("a fragment whose first part was not seen is left to the stack and counted", () => {
  serve(4, "udp", "nat");
  const [, second] = halves(
    frame({ ...flowOf(4, "udp"), source: serverKey("10.1.0.77", 0).address }, { payloadBytes: 900 }),
  );
  const before = plane.reason("FRAGMENT_UNKNOWN");
  assert.equal(plane.receiveFrame(second).verdict | 0, LEAVE);
  assert.equal(plane.reason("FRAGMENT_UNKNOWN"), before + 1);
});

test("what is for no service, or begins in the middle, is left to the stack as it is", () => {
  serve(4, "tcp", "nat");
  const elsewhere = plane.receive({ ...flowOf(4), destinationPort: 81 }, { flags: SYN });
  assert.equal(elsewhere.verdict | 0, LEAVE);
  const before = plane.reason("NO_CONNECTION");
  assert.equal(plane.receive(flowOf(4), { flags: ACK }).verdict | 0, LEAVE);
  assert.equal(plane.reason("NO_CONNECTION"), before + 1);
});

test("a client whose server is gone gets a reset that its stack accepts", () => {
  serve(4, "tcp", "nat");
  plane.receive(flowOf(4), { flags: SYN });
  const key = serviceKey(ADDRESSES[4].vip, 80);
  plane.tables.deleteServer(key, serverKey(ADDRESSES[4].server, 8080));
  const { verdict, packet } = plane.receive(flowOf(4), { flags: ACK, acknowledged: 0x11223344, payloadBytes: 400 });
  assert.equal(verdict, REDIRECT);
  const seen = seeFrame(packet);
  assert.deepEqual(seen.destination, bytesOf(ADDRESSES[4].client));
  assert.deepEqual(ports(seen.payload), [80, 40000]);
  assert.equal(seen.payload.length, 20);
  assert.equal((seen.payload[13] ?? 0) & RST, RST);
  // RFC 9293 §3.10.7.1: the sequence number is what the client expects next.
  assert.equal(new DataView(seen.payload.buffer).getUint32(4), 0x11223344);
  assert.deepEqual([seen.headerRight, seen.transportRight], [true, true]);
  assert.deepEqual([...plane.tables.connections()], []);
});

test("with on_server_down keep the packets of a server that is gone go nowhere", () => {
  serve(4, "tcp", "nat");
  const key = serviceKey(ADDRESSES[4].vip, 80);
  plane.tables.editService(key, serviceSettings({ scheduler: "rr", onServerDown: "keep" }));
  plane.receive(flowOf(4), { flags: SYN });
  plane.tables.deleteServer(key, serverKey(ADDRESSES[4].server, 8080));
  assert.equal(plane.receive(flowOf(4), { flags: ACK }).verdict, DROP);
});

const STATES = ["NONE", "ES", "SS", "SR", "FW", "TW", "CL", "CW", "LA", "LI", "SA"];
const EVENTS = { syn: SYN, fin: FIN | ACK, ack: ACK, rst: RST, none: 0x08 } as const;
const CLOSE_ALL = "CL CL CL CL CL CL CL CL CL CL CL";
/** l4.md §1.3, once more by hand. A packet without any of the flags closes. */
const TABLES: Readonly<Record<"in" | "out" | "in-only", Readonly<Record<keyof typeof EVENTS, string>>>> = {
  in: {
    syn: "SR ES ES SR SR SR SR SR SR SR SR",
    fin: "CL CW SS TW TW TW CL CW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW CL LI ES",
    rst: "CL CL CL SR CL CL CL CL LA LI SR",
    none: CLOSE_ALL,
  },
  out: {
    syn: "SS ES SS SR SS SS SS SS SS LI SR",
    fin: "TW FW SS TW FW TW CL TW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW LA ES ES",
    rst: "CL CL SS CL CL TW CL CL CL CL CL",
    none: CLOSE_ALL,
  },
  "in-only": {
    syn: "SR ES ES SR SR SR SR SR SR SR SR",
    fin: "CL FW SS TW FW TW CL CW LA LI TW",
    ack: "ES ES SS ES FW TW CL CW CL LI ES",
    rst: "CL CL CL SR CL CL CL CL LA LI CL",
    none: CLOSE_ALL,
  },
};

for (const direction of ["in", "out", "in-only"] as const) {
  describe(`TCP states, packets ${direction}`, () => {
    for (const event of Object.keys(EVENTS) as (keyof typeof EVENTS)[]) {
      test(`${event} makes of each state what IPVS makes of it`, () => {
        const after = STATES.map((state) => {
          serve(4, "tcp", direction === "in-only" ? "dr" : "nat");
          plane.receive(flowOf(4), { flags: SYN });
          plane.setState(state);
          plane.receive(direction === "out" ? answerOf(4) : flowOf(4), { flags: EVENTS[event] });
          return plane.state();
        });
        assert.equal(after.join(" "), TABLES[direction][event]);
      });
    }
  });
}

test("ActiveConn and InActConn follow a connection's states and end with it", () => {
  serve(4, "tcp", "nat");
  const counts = () => {
    const [server] = plane.tables.service(serviceKey(ADDRESSES[4].vip, 80))?.servers ?? [];
    return [server?.active, server?.inactive];
  };
  // Earlier tests left connections behind for ever: what counts is the difference.
  const [active = 0, inactive = 0] = counts();
  plane.receive(flowOf(4), { flags: SYN });
  assert.deepEqual(counts(), [active + 1, inactive]);
  plane.receive(flowOf(4), { flags: ACK });
  plane.receive(flowOf(4), { flags: FIN | ACK });
  assert.deepEqual(counts(), [active, inactive + 1]);
  plane.receive(flowOf(4), { flags: SYN });
  assert.deepEqual(counts(), [active + 1, inactive]);
});
