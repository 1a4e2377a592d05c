/** Packets that nobody honest sends: they change nothing, make nothing that lasts, and come out as they went in. */

import assert from "node:assert/strict";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { after, before, test } from "../support/bpf-tests.ts";
import { DataPlane } from "../support/data-plane.ts";
import { ACK, FIN, type Flow, type FrameOptions, frame, icmpError, SYN } from "../support/frames.ts";
import { census } from "../support/plane-census.ts";
import { drawFrom, randomFrame } from "../support/random-packets.ts";
import { serverKey, serverSettings, serviceKey, serviceSettings } from "../support/tables.ts";
import { until } from "../support/until.ts";

const LEAVE = -1;
const VIP = { 4: "10.9.0.1", 6: "fd09::1" } as const;

let plane: DataPlane;
before(async () => {
  plane = await DataPlane.start();
  // A wheel that is new goes round once, and takes tokens in hand.
  serve("udp");
  plane.receive(flow("udp", "10.1.0.2", 40000));
  await until("the wheel comes to the present", () => plane.isWheelAtRest());
});
after(() => plane[Symbol.asyncDispose]());

function serve(
  protocol: "tcp" | "udp",
  settings: Parameters<typeof serviceSettings>[0] = {},
  family: 4 | 6 = 4,
  port = 80,
): void {
  plane.forgetConnections();
  plane.tables.flush();
  const key = serviceKey(VIP[family], port, protocol);
  plane.tables.addService(key, serviceSettings({ scheduler: "rr", netmaskBits: family === 4 ? 32 : 128, ...settings }));
  const server = serverKey(family === 4 ? "10.2.0.2" : "fd02::2", 80);
  plane.tables.addServer(key, server, serverSettings({ method: "dr" }));
}

function flow(protocol: "tcp" | "udp", source: string, sourcePort: number, family: 4 | 6 = 4): Flow {
  const destination = serverKey(VIP[family], 0).address;
  return { protocol, source: serverKey(source, 0).address, sourcePort, destination, destinationPort: 80 };
}

/** The frame is left to the stack, byte for byte, and makes no entry. */
function expectLeft(bytes: Uint8Array, why: string): void {
  const { verdict, packet } = plane.receiveFrame(bytes);
  assert.equal(verdict | 0, LEAVE, why);
  assert.deepEqual(packet.slice(12), bytes.slice(12), why);
  for (const name of ["connections4", "connections6"]) assert.deepEqual([...plane.object.map(name).entries()], [], why);
}

for (const protocol of ["tcp", "udp"] as const) {
  test(`${protocol} from port 0 is not taken for the template of its client`, () => {
    serve(protocol, { persistence: 300 });
    plane.receive(flow(protocol, "10.1.0.2", 40000), { flags: SYN });
    const seen = census(plane);
    assert.equal(seen.templates, 1);
    const { verdict } = plane.receive(flow(protocol, "10.1.0.2", 0), { flags: SYN });
    assert.equal(verdict | 0, LEAVE);
    assert.deepEqual(census(plane), seen);
  });
}

test("a service that is persistent for single packets keeps no template busy", () => {
  serve("udp", { persistence: 300, onePacket: true });
  for (let port = 40000; port < 40010; port++) plane.receive(flow("udp", "10.1.0.2", port));
  const [template, ...rest] = [...plane.object.map("connections4").entries()];
  assert.deepEqual(rest, []);
  const value = template?.[1] ?? new Uint8Array();
  const controlled = plane.layouts.offsets("ek_connection")("controlled");
  assert.equal(new DataView(value.buffer, value.byteOffset).getUint32(controlled, true), 0);
});

test("a connection has one token, however often a stranger makes its state change", () => {
  serve("tcp");
  for (let round = 0; round < 50; round++) {
    for (const flags of [SYN, ACK, FIN | ACK, SYN, 0]) plane.receive(flow("tcp", "10.1.0.2", 40000), { flags });
  }
  const { entries, tokens } = census(plane);
  assert.deepEqual([entries, tokens], [1, 1]);
});

for (const protocol of ["tcp", "udp"] as const) {
  const whole = (options: FrameOptions = {}) => frame(flow(protocol, "10.1.0.2", 40000), { flags: SYN, ...options });

  test(`${protocol} headers that reach beyond the packet are not read`, () => {
    serve(protocol);
    const headers = protocol === "tcp" ? 40 : 28;
    for (const bytes of [0, 20, headers - 1, 0xffff]) {
      const lying = whole({ payloadBytes: 40 });
      new DataView(lying.buffer).setUint16(16, bytes);
      expectLeft(lying, `a total length of ${bytes}`);
    }
    for (const length of [34, 34 + 4, 14 + headers - 1]) expectLeft(whole().slice(0, length), `${length} bytes`);
    for (const first of [0x44, 0x40, 0x4f, 0x55, 0x65]) {
      const lying = whole();
      lying[14] = first;
      expectLeft(lying, `an IP header that begins with ${first.toString(16)}`);
    }
  });
}

test("a TCP header that says it is shorter than the least, or longer than the packet, is not read", () => {
  serve("tcp");
  for (const words of [0, 4, 6, 15]) {
    const lying = frame(flow("tcp", "10.1.0.2", 40000), { flags: SYN });
    lying[14 + 20 + 12] = words << 4;
    expectLeft(lying, `${words} words`);
  }
});

test("an IPv6 packet without payload, and one behind an extension header, are left alone", () => {
  serve("tcp", {}, 6);
  const whole = frame(flow("tcp", "fd01::2", 40000, 6), { flags: SYN });
  const empty = whole.slice();
  new DataView(empty.buffer).setUint16(18, 0);
  expectLeft(empty, "a payload length of 0");
  for (const next of [0, 43, 50, 51, 59, 60, 135]) {
    const extended = whole.slice();
    extended[14 + 6] = next;
    expectLeft(extended, `next header ${next}`);
  }
});

test("a packet in a VLAN, in a tunnel or of another protocol is left alone", () => {
  serve("tcp");
  const whole = frame(flow("tcp", "10.1.0.2", 40000), { flags: SYN });
  for (const protocol of [0, 2, 4, 41, 47, 50, 132, 255]) {
    const other = whole.slice();
    other[14 + 9] = protocol;
    new DataView(other.buffer).setUint16(24, 0);
    new DataView(other.buffer).setUint16(24, internetChecksum(other.subarray(14, 34)));
    expectLeft(other, `protocol ${protocol}`);
  }
  const tagged = Uint8Array.from([...whole.subarray(0, 12), 0x81, 0, 0, 5, ...whole.subarray(12)]);
  expectLeft(tagged, "a tag");
});

test("a source that only this machine itself, or nobody, can have begins no connection", () => {
  serve("udp");
  for (const source of ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.1.2.3", "255.255.255.255", VIP[4]]) {
    expectLeft(frame(flow("udp", source, 40000)), source);
  }
  serve("udp", {}, 6);
  for (const source of ["::", "::1", "ff02::1", VIP[6]]) expectLeft(frame(flow("udp", source, 40000, 6)), source);
});

test("an ICMP error that quotes port 0 is not taken for one about the template of a client", () => {
  serve("udp", { persistence: 300 });
  plane.receive(flow("udp", "10.1.0.2", 40000));
  const [source, destination] = [serverKey("10.1.0.254", 0).address, serverKey(VIP[4], 0).address];
  const client = serverKey("10.1.0.2", 0).address;
  const answer = frame({
    protocol: "udp",
    source: destination,
    sourcePort: 80,
    destination: client,
    destinationPort: 0,
  });
  const { verdict } = plane.receiveFrame(icmpError({ source, destination }, [3, 3, 0], answer));
  assert.equal(verdict | 0, LEAVE);
});

test("while there is no service that a packet could be for, it comes out as it went in", () => {
  serve("tcp", {}, 4, 9);
  const draw = drawFrom(6);
  for (let n = 0; n < 1000; n++) expectLeft(randomFrame(draw), `frame ${n}`);
});
