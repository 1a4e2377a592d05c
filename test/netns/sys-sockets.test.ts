import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { type Ipv4Address, ipToBytes } from "../../src/base/ip.ts";
import { addon, SystemError } from "../../src/sys/addon.ts";
import { readInterfaces } from "../../src/sys/interfaces.ts";
import { type FilterInstruction, type Frame, openPacketSocket } from "../../src/sys/packet-socket.ts";
import { openRawSocket, type RawPacket, type RawSocket } from "../../src/sys/raw-socket.ts";
import { TestNetwork, type TestNode } from "../support/namespace.ts";
import { until } from "../support/until.ts";

const VRRP_GROUP = "224.0.0.18" as Ipv4Address;
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

/** Three routers on one LAN, eth0 each, 10.0.0.1 to 10.0.0.3. */
async function lan(network: TestNetwork): Promise<[TestNode, TestNode, TestNode]> {
  const nodes = [await network.node("r1"), await network.node("r2"), await network.node("r3")] as const;
  const ports = nodes.map((node, i) => ({ node, interface: "eth0", addresses: [`10.0.0.${i + 1}/24`] }));
  await network.segment("lan", ports);
  return [...nodes];
}

const indexOf = (node: TestNode, name: string): number => {
  const found = node.within(() =>
    readInterfaces()
      .values()
      .find((each) => each.name === name),
  );
  assert.ok(found);
  return found.index;
};

interface Router {
  readonly socket: RawSocket;
  readonly packets: RawPacket[];
  readonly batches: number[];
  readonly errors: SystemError[];
}

function router(node: TestNode, protocol = 112, multicastGroup: Ipv4Address | undefined = VRRP_GROUP): Router {
  const [packets, batches, errors]: [RawPacket[], number[], SystemError[]] = [[], [], []];
  const socket = node.within(() =>
    openRawSocket({
      protocol,
      multicastGroup,
      interface: { index: indexOf(node, "eth0"), name: "eth0" },
      onPackets(received) {
        packets.push(...received);
        batches.push(received.length);
      },
      onError: (error) => errors.push(error),
    }),
  );
  cleanups.push(() => socket.close());
  return { socket, packets, batches, errors };
}

/** An IPv4 header that leaves length, identification, source and checksum to the kernel. */
function ipv4(destination: Ipv4Address, payload: Uint8Array, protocol = 112): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  packet.set([0x45, 0xc0, 0, 0, 0, 0, 0, 0, 255, protocol], 0);
  packet.set(ipToBytes(destination), 16);
  packet.set(payload, 20);
  return packet;
}

test("a packet to the VRRP group reaches every other router, with its header, and not its sender", async () => {
  await using network = new TestNetwork();
  const [r1, r2, r3] = await lan(network);
  const [a, b, c] = [router(r1), router(r2), router(r3)];
  a.socket.send(ipv4(VRRP_GROUP, Uint8Array.of(0x21, 1, 100, 1)), VRRP_GROUP);
  for (const [node, receiver] of [
    [r2, b],
    [r3, c],
  ] as const) {
    const packet = await until("the advert", () => receiver.packets[0]);
    assert.equal(packet.source, "10.0.0.1");
    assert.equal(packet.interfaceIndex, indexOf(node, "eth0"));
    assert.deepEqual(packet.bytes.subarray(0, 2), Uint8Array.of(0x45, 0xc0), "version, header length, precedence");
    assert.equal(packet.bytes[3], 24, "total length");
    assert.equal(packet.bytes[8], 255, "TTL");
    assert.deepEqual(packet.bytes.subarray(12, 20), Uint8Array.of(10, 0, 0, 1, 224, 0, 0, 18));
    assert.deepEqual(packet.bytes.subarray(20), Uint8Array.of(0x21, 1, 100, 1));
  }
  // The answer comes later than a looped-back copy would have.
  b.socket.send(ipv4(VRRP_GROUP, Uint8Array.of(0x21, 2)), VRRP_GROUP);
  await until("the answer", () => a.packets.length > 0);
  assert.deepEqual(
    a.packets.map(({ source }) => source),
    ["10.0.0.2"],
  );
});

test("packets of other protocols, groups and interfaces do not come in", async () => {
  await using network = new TestNetwork();
  const [r1, r2] = await lan(network);
  const other = await network.node("other");
  await network.link(
    { node: r2, interface: "eth1", addresses: ["10.9.0.2/24"] },
    { node: other, interface: "eth0", addresses: ["10.9.0.9/24"] },
  );
  const receiver = router(r2);
  const foreign = router(other);
  foreign.socket.send(ipv4(VRRP_GROUP, Uint8Array.of(9)), VRRP_GROUP);
  const otherInterface = "10.9.0.2" as Ipv4Address;
  foreign.socket.send(ipv4(otherInterface, Uint8Array.of(8)), otherInterface);
  const sender = router(r1);
  const unwanted = "224.0.0.77" as Ipv4Address;
  // Another program of the same host has joined it, so the packet does come in.
  const neighbour = router(r2, 112, unwanted);
  sender.socket.send(ipv4(unwanted, Uint8Array.of(7)), unwanted);
  const icmp = router(r1, 1, undefined);
  icmp.socket.send(
    ipv4("10.0.0.2" as Ipv4Address, Uint8Array.of(8, 0, 0xf7, 0xff, 0, 0, 0, 0), 1),
    "10.0.0.2" as Ipv4Address,
  );
  await until("the echo reply", () => icmp.packets.find(({ bytes }) => bytes[20] === 0));
  sender.socket.send(ipv4("10.0.0.2" as Ipv4Address, Uint8Array.of(1)), "10.0.0.2" as Ipv4Address);
  await until("the last packet", () => receiver.packets.some(({ bytes }) => bytes[20] === 1));
  assert.ok(neighbour.packets.some(({ bytes }) => bytes[20] === 7));
  assert.deepEqual(
    receiver.packets.map(({ bytes }) => bytes[20]),
    [1],
  );
});

test("packets that wait together come in one call", async () => {
  await using network = new TestNetwork();
  const [r1, r2] = await lan(network);
  const [sender, receiver] = [router(r1), router(r2)];
  for (let i = 0; i < 10; i++) sender.socket.send(ipv4(VRRP_GROUP, Uint8Array.of(i)), VRRP_GROUP);
  await until("ten packets", () => receiver.packets.length === 10);
  assert.deepEqual(
    receiver.packets.map(({ bytes }) => bytes[20]),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.ok(receiver.batches.length < 10, `${receiver.batches}`);
});

test("sending on an interface that is down throws ENETDOWN or ENETUNREACH, and works again when it is up", async () => {
  await using network = new TestNetwork();
  const [r1, r2] = await lan(network);
  const [sender, receiver] = [router(r1), router(r2)];
  await r1.run("ip", "link", "set", "eth0", "down");
  assert.throws(
    () => sender.socket.send(ipv4(VRRP_GROUP, Uint8Array.of(1)), VRRP_GROUP),
    (error: unknown) => error instanceof SystemError && /^(ENETDOWN|ENETUNREACH)$/.test(error.code),
  );
  await r1.run("ip", "link", "set", "eth0", "up");
  // The carrier takes a moment: until then the kernel accepts packets and drops them.
  await until("a packet", () => {
    try {
      sender.socket.send(ipv4(VRRP_GROUP, Uint8Array.of(2)), VRRP_GROUP);
    } catch (error) {
      assert.ok(error instanceof SystemError);
    }
    return receiver.packets.length > 0;
  });
});

test("a raw socket on an interface that does not exist throws ENODEV and leaves no descriptor open", async () => {
  await using network = new TestNetwork();
  const [r1] = await lan(network);
  const open = (name: string) =>
    r1.within(() => openRawSocket({ protocol: 112, interface: { index: 99, name }, onPackets() {}, onError() {} }));
  assert.throws(
    () => open("nowhere0"),
    (error: unknown) => error instanceof SystemError && error.code === "ENODEV" && error.syscall === "setsockopt",
  );
  const [first] = addon.socketpair(1, 1, 0);
  assert.throws(() => open("nowhere0"), SystemError);
  const [second] = addon.socketpair(1, 1, 0);
  assert.equal(second, first + 2);
  for (const fd of [first, first + 1, second, second + 1]) addon.close(fd);
});

function capture(
  node: TestNode,
  options: { protocol: number; filter?: readonly FilterInstruction[]; snapLength?: number },
): { frames: Frame[]; errors: SystemError[] } {
  const frames: Frame[] = [];
  const errors: SystemError[] = [];
  const socket = node.within(() =>
    openPacketSocket({
      ...options,
      interfaceIndex: indexOf(node, "eth0"),
      onFrames: (received) => frames.push(...received),
      onError: (error) => errors.push(error),
    }),
  );
  cleanups.push(() => socket.close());
  return { frames, errors };
}

/** A gratuitous ARP request (RFC 5227 §3) for 10.0.0.100 from 02:00:00:00:00:01. */
const GRATUITOUS_ARP = Uint8Array.from([
  ...[255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6],
  ...[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 100, 255, 255, 255, 255, 255, 255, 10, 0, 0, 100],
]);

test("an ARP frame sent on one side is seen on the other", async () => {
  await using network = new TestNetwork();
  const [r1, r2] = await lan(network);
  const { frames } = capture(r2, { protocol: 0x0806 });
  const sender = r1.within(() => openPacketSocket());
  sender.send(GRATUITOUS_ARP, indexOf(r1, "eth0"));
  sender.close();
  sender.close();
  const frame = await until("the frame", () => frames.find(({ bytes }) => Buffer.compare(bytes, GRATUITOUS_ARP) === 0));
  assert.equal(frame.sourceMac, "02:00:00:00:00:01");
  assert.equal(frame.wireLength, 42);
  assert.equal(frame.outgoing, false);
  assert.equal(frame.interfaceIndex, indexOf(r2, "eth0"));
  const ageNs = BigInt(Date.now()) * 1_000_000n - (frame.timestampNs ?? 0n);
  assert.ok(ageNs > -60_000_000_000n && ageNs < 60_000_000_000n, "the time stamp is the wall clock's");
});

test("a capture of everything sees outgoing frames, and keeps the true length of those that it cuts", async () => {
  await using network = new TestNetwork();
  const [r1] = await lan(network);
  const { frames } = capture(r1, { protocol: 3, snapLength: 20 });
  // From another socket: the kernel gives a socket nothing that it sent itself.
  const sender = r1.within(() => openPacketSocket());
  cleanups.push(() => sender.close());
  sender.send(GRATUITOUS_ARP, indexOf(r1, "eth0"));
  const frame = await until("the frame", () => frames.find(({ bytes }) => bytes[12] === 8 && bytes[13] === 6));
  assert.equal(frame.outgoing, true);
  assert.deepEqual(frame.bytes, GRATUITOUS_ARP.subarray(0, 20));
  assert.equal(frame.wireLength, 42);
});

test("a filter lets through what it accepts and nothing else", async () => {
  await using network = new TestNetwork();
  const [r1, r2] = await lan(network);
  // linux/filter.h: the byte at 21 (ARP operation) must be 2.
  const replies: FilterInstruction[] = [
    [0x30, 0, 0, 21],
    [0x15, 0, 1, 2],
    [0x06, 0, 0, 0xffff],
    [0x06, 0, 0, 0],
  ];
  const { frames } = capture(r2, { protocol: 0x0806, filter: replies });
  const sender = r1.within(() => openPacketSocket());
  cleanups.push(() => sender.close());
  const reply = Uint8Array.from(GRATUITOUS_ARP);
  reply[21] = 2;
  sender.send(GRATUITOUS_ARP, indexOf(r1, "eth0"));
  sender.send(reply, indexOf(r1, "eth0"));
  await until("the reply", () => frames.length > 0);
  assert.deepEqual(
    frames.map(({ bytes }) => bytes[21]),
    [2],
  );
});

test("a capture survives its interface going down and receives again when it comes back", async () => {
  await using network = new TestNetwork();
  const [r1, r2] = await lan(network);
  const { frames, errors } = capture(r2, { protocol: 0x0806 });
  await r2.run("ip", "link", "set", "eth0", "down");
  const error = await until("the error", () => errors[0]);
  assert.equal(error.code, "ENETDOWN");
  await r2.run("ip", "link", "set", "eth0", "up");
  const sender = r1.within(() => openPacketSocket());
  cleanups.push(() => sender.close());
  await until("a frame", () => {
    sender.send(GRATUITOUS_ARP, indexOf(r1, "eth0"));
    return frames.length > 0;
  });
  assert.equal(errors.length, 1);
});
