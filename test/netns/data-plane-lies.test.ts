/** ICMP errors and packets to be cut, one by one: what is short, lies or quotes a tunnel (bpf/icmp.h, tunnel-error.h, fragment.h). */

import assert from "node:assert/strict";
import { ipToBytes } from "../../src/base/ip.ts";
import { numberKey } from "../../src/director/layouts.ts";
import { after, before, test } from "../support/bpf-tests.ts";
import { DataPlane } from "../support/data-plane.ts";
import { type Flow, frame, icmpError, seeFrame, seePacket } from "../support/frames.ts";
import { serverKey, serverSettings, serviceKey, serviceSettings } from "../support/tables.ts";

const REDIRECT = 7;
const LEAVE = -1;
const DROP = 2;
const ADDRESSES = {
  4: { client: "10.1.0.2", vip: "10.9.0.1", server: "10.2.0.2", own: "10.2.0.1", router: "10.2.0.254" },
  6: { client: "fd01::2", vip: "fd09::1", server: "fd02::2", own: "fd02::1", router: "fd02::fe" },
} as const;
const address = (text: string) => serverKey(text, 0).address;

let plane: DataPlane;
before(async () => {
  plane = await DataPlane.start();
});
after(() => plane[Symbol.asyncDispose]());

function serve(family: 4 | 6, method: "nat" | "tun", to: 4 | 6 = family): Flow {
  plane.forgetConnections();
  plane.tables.flush();
  for (const [key] of [...plane.object.map("learned_mtus").entries()]) plane.object.map("learned_mtus").delete(key);
  const routes = plane.object.map("routes");
  for (let number = 0; number < 8; number++)
    routes.update(numberKey(number), new Uint8Array(routes.information.valueBytes));
  const { client, vip } = ADDRESSES[family];
  const key = serviceKey(vip, 80, "udp");
  plane.tables.addService(key, serviceSettings({ scheduler: "rr", netmaskBits: family === 4 ? 32 : 128 }));
  plane.tables.addServer(
    key,
    serverKey(ADDRESSES[to].server, method === "nat" ? 8080 : 80),
    serverSettings({ method }),
  );
  const [source, destination] = [address(client), address(vip)];
  return { protocol: "udp", source, sourcePort: 40000, destination, destinationPort: 80 };
}

const TOO_BIG = { 4: [3, 4, 1400], 6: [2, 0, 1400] } as const;

for (const family of [4, 6] as const) {
  const { client, router } = ADDRESSES[family];
  const header = family === 4 ? 20 : 40;

  test(`IPv${family}: an error is followed only as far as its quotation goes, however much lies behind it`, () => {
    const flow = serve(family, "nat");
    const sent = plane.receive(flow, { payloadBytes: 100 });
    const ends = { source: address(router), destination: address(client) };
    for (let quotedBytes = 0; quotedBytes <= header + 8; quotedBytes++) {
      const short = icmpError(ends, TOO_BIG[family], sent.packet, { quotedBytes });
      // What the frame has beyond the packet continues the quotation: nothing of it is the packet's.
      const rest = sent.packet.subarray(14 + quotedBytes, 14 + 60);
      const { verdict, packet } = plane.receiveFrame(Uint8Array.from([...short, ...rest]));
      const readable = quotedBytes >= header + 4;
      assert.equal(verdict | 0, readable ? REDIRECT : LEAVE, `${quotedBytes} bytes are quoted`);
      if (readable) assert.equal(seeFrame(packet).transportRight, true);
      else assert.deepEqual(packet.subarray(6), Uint8Array.from([...short, ...rest]).subarray(6));
      assert.deepEqual(packet.subarray(packet.length - rest.length), rest);
    }
  });

  test(`IPv${family}: an error to somebody else than the sender of what it quotes is left alone`, () => {
    const flow = serve(family, "nat");
    const sent = plane.receive(flow);
    const ends = { source: address(router), destination: address(ADDRESSES[family].own) };
    assert.equal(plane.receiveFrame(icmpError(ends, TOO_BIG[family], sent.packet)).verdict | 0, LEAVE);
  });

  for (const outer of [4, 6] as const) {
    const name = `IPv${family} in IPv${outer}`;
    const ends = { source: address(ADDRESSES[outer].router), destination: address(ADDRESSES[outer].own) };
    const overhead = outer === 4 ? 20 : 40;

    const told = (bytes: Uint8Array, kind: readonly number[]) => {
      const { verdict, packet } = plane.receiveFrame(bytes);
      assert.equal(verdict, REDIRECT);
      const seen = seeFrame(packet);
      assert.equal(packet[12], family === 4 ? 0x08 : 0x86);
      assert.deepEqual(seen.source, ipToBytes(address(ADDRESSES[family].vip)));
      assert.deepEqual(seen.destination, ipToBytes(address(client)));
      assert.deepEqual([seen.headerRight, seen.transportRight], [true, true]);
      assert.deepEqual([seen.payload[0], seen.payload[1]], kind);
      const inner = seePacket(seen.payload.subarray(8));
      assert.deepEqual(inner.source, ipToBytes(address(client)));
      return new DataView(seen.payload.buffer).getUint16(6);
    };

    test(`${name}: what does not fit a router behind the tunnel is said to the client, and kept`, () => {
      const flow = serve(family, "tun", outer);
      const sent = plane.receive(flow, { payloadBytes: 1300 });
      const mtu = told(
        icmpError(ends, TOO_BIG[outer], sent.packet, { quotedBytes: 120 }),
        family === 4 ? [3, 4] : [2, 0],
      );
      assert.equal(mtu, 1400 - overhead);
      const answered = plane.receive(flow, { payloadBytes: 1400 - overhead - header - 8 + 1 });
      assert.equal(new DataView(seeFrame(answered.packet).payload.buffer).getUint16(6), 1400 - overhead);
      const learned = [...plane.object.map("learned_mtus").entries()];
      assert.equal(learned.length, 1);
    });

    test(`${name}: every other error about a tunnel says that the server cannot be reached`, () => {
      const flow = serve(family, "tun", outer);
      const sent = plane.receive(flow, { payloadBytes: 100 });
      const exceeded = outer === 4 ? ([11, 0, 0] as const) : ([3, 0, 0] as const);
      told(icmpError(ends, exceeded, sent.packet, { quotedBytes: 120 }), family === 4 ? [3, 1] : [1, 3]);
    });
  }
}

test("an error about a tunnel of no connection teaches nothing", () => {
  const flow = serve(4, "tun");
  const sent = plane.receive(flow, { payloadBytes: 1300 });
  plane.forgetConnections();
  const ends = { source: address(ADDRESSES[4].router), destination: address(ADDRESSES[4].own) };
  const { verdict } = plane.receiveFrame(icmpError(ends, TOO_BIG[4], sent.packet, { quotedBytes: 120 }));
  assert.equal(verdict | 0, LEAVE);
  assert.deepEqual([...plane.object.map("learned_mtus").entries()], []);
});

test("a packet without DF that a tunnel makes too big is cut, the first part comes in anew before the second", () => {
  const flow = serve(4, "tun");
  const whole = frame(flow, { payloadBytes: 1472, dontFragment: false });
  const { verdict, packet } = plane.receiveFrame(whole);
  assert.equal(verdict, REDIRECT);
  const seen = seeFrame(packet);
  assert.equal(seen.headerRight, true);
  assert.deepEqual(seen.payload, whole.subarray(14 + 20 + 1456));
  assert.equal(new DataView(packet.buffer, packet.byteOffset).getUint16(20), 1456 / 8);
});

test("errors are not answered by errors", () => {
  const flow = serve(4, "nat");
  const sent = plane.receive(flow);
  const ends = { source: address(ADDRESSES[4].router), destination: address(ADDRESSES[4].client) };
  const { verdict } = plane.receiveFrame(icmpError(ends, TOO_BIG[4], sent.packet, { ttl: 1 }));
  assert.equal(verdict, DROP);
});
