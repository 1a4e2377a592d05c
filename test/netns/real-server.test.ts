/**
 * `evenkeel real` on a wire: a client, a balancer that is played by hand, a real server. Scenario S4, steps 4 to 6.
 */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { type IpAddress, type Ipv4Address, ipToBytes, isIpv4 } from "../../src/base/ip.ts";
import type { MacAddress } from "../../src/base/mac.ts";
import { networkNamespaceCookie } from "../../src/sys/namespaces.ts";
import type { Frame } from "../../src/sys/packet-socket.ts";
import { ARP_REQUEST, decodeArp, encodeArp } from "../../src/wire/arp.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { ETHERTYPE_ARP, encodeEthernet } from "../../src/wire/ethernet.ts";
import { test } from "../support/bpf-tests.ts";
import { peerPath } from "../support/peers.ts";
import { BALANCER, BALANCER6, CLIENT, CLIENT6, type Host, lan, REAL, REAL6, VIP, VIP6 } from "../support/real-lan.ts";
import { type Addressed, ethernet, pseudoHeader, tunnelled, udpPacket } from "../support/udp-packets.ts";
import { until } from "../support/until.ts";

const BROADCAST = "ff:ff:ff:ff:ff:ff" as MacAddress;

function whoHas(host: Host, address: Ipv4Address): void {
  const request = {
    operation: ARP_REQUEST,
    senderMac: host.mac,
    senderIp: CLIENT,
    targetMac: "00:00:00:00:00:00" as MacAddress,
    targetIp: address,
  };
  host.send(
    encodeEthernet({ destination: BROADCAST, source: host.mac, etherType: ETHERTYPE_ARP, payload: encodeArp(request) }),
  );
}

const arpOf = ({ bytes }: Frame) => {
  const packet = bytes[12] === 0x08 && bytes[13] === 0x06 ? decodeArp(bytes.subarray(14)) : undefined;
  return packet?.ok ? packet.value : undefined;
};

/**
 * Who answers for an address, as `arping` would show. Each host answers in the order of the questions, so once it has answered
 * for its own address, which is asked for afterwards, it has nothing more to say about this one.
 */
async function answering(client: Host, address: Ipv4Address): Promise<MacAddress[]> {
  client.seen.length = 0;
  whoHas(client, address);
  whoHas(client, BALANCER);
  whoHas(client, REAL);
  const answers = () => client.seen.map(arpOf).filter((packet) => packet?.operation === 2);
  await until("both hosts answer for their own addresses", () =>
    [BALANCER, REAL].every((own) => answers().some((packet) => packet?.senderIp === own)),
  );
  return answers()
    .flatMap((packet) => (packet?.senderIp === address ? [packet.senderMac] : []))
    .sort();
}

const sendFrom = (address: IpAddress, to: IpAddress) => [
  process.execPath,
  "-e",
  `const s = require("dgram").createSocket("udp${isIpv4(address) ? 4 : 6}");
   s.bind(0, "${address}", () => s.send("hello", 9, "${to}", () => s.close()));`,
];

const neighbour = async (host: Host, address: IpAddress): Promise<MacAddress> =>
  (await host.node.ipJson("neigh", "show", address, "dev", "eth0"))[0]?.lladdr;

/** A UDP or TCP packet from `source`, the first that was seen; its bytes from the IP header on. */
const packetFrom = (host: Host, source: IpAddress, protocol: number): Uint8Array | undefined => {
  const [at, next, etherType] = isIpv4(source) ? [12, 9, 0x0800] : [8, 6, 0x86dd];
  const wanted = ipToBytes(source);
  return host.seen
    .filter(({ bytes }) => (((bytes[12] ?? 0) << 8) | (bytes[13] ?? 0)) === etherType)
    .map(({ bytes }) => bytes.subarray(14))
    .find((ip) => ip[next] === protocol && wanted.every((byte, index) => ip[at + index] === byte));
};

test("with the kernel's defaults two hosts answer for the VIP, after evenkeel real one", async () => {
  await using net = await lan();
  const { client, balancer, real } = net;
  for (const name of ["arp_ignore", "arp_announce"]) {
    assert.equal(await real.node.run("cat", `/proc/sys/net/ipv4/conf/all/${name}`), "0\n");
    assert.equal(await real.node.run("cat", `/proc/sys/net/ipv4/conf/eth0/${name}`), "0\n");
  }
  await real.node.run("ip", "addr", "add", `${VIP}/32`, "dev", "lo");
  assert.deepEqual(await answering(client, VIP), [balancer.mac, real.mac].sort());
  const made = await real.evenkeel("real", "--vip", VIP);
  assert.equal(made.status, 0, made.output);
  assert.deepEqual(await answering(client, VIP), [balancer.mac]);
});

test("a real server that speaks from the VIP takes nobody's neighbour entry along", async () => {
  await using net = await lan();
  const { client, balancer, real } = net;
  const speak = async () => {
    await client.node.run("ip", "neigh", "replace", VIP, "lladdr", balancer.mac, "nud", "stale", "dev", "eth0");
    await real.node.run("ip", "neigh", "flush", "dev", "eth0");
    client.seen.length = 0;
    await real.node.run(...sendFrom(VIP, CLIENT));
    await until("the datagram arrives", () => packetFrom(client, VIP, 17));
    return client.seen.map(arpOf).filter((packet) => packet?.targetIp === CLIENT && packet.operation === ARP_REQUEST);
  };
  await real.node.run("ip", "addr", "add", `${VIP}/32`, "dev", "lo");
  assert.equal((await speak())[0]?.senderIp, VIP);
  assert.equal(await neighbour(client, VIP), real.mac, "without a guard the entry moves to the real server");
  await real.evenkeel("real", "--vip", VIP);
  assert.equal((await speak())[0]?.senderIp, REAL);
  assert.equal(await neighbour(client, VIP), balancer.mac);
});

const ECHO = [
  process.execPath,
  "-e",
  `for (const [type, address] of [["udp4", "${VIP}"], ["udp6", "${VIP6}"]]) {
     const s = require("dgram").createSocket(type);
     s.on("message", (text, { port, address }) => s.send("echo " + text, port, address));
     s.bind(7, address, () => console.log("echo on " + address));
   }`,
];

const inFamily = (address: IpAddress) =>
  isIpv4(address)
    ? { client: CLIENT, outer: { source: BALANCER, destination: REAL } }
    : { client: CLIENT6, outer: { source: BALANCER6, destination: REAL6 } };

test("packets for a VIP arrive as DR sends them and in tunnels of both families, and are answered to the client", async () => {
  await using net = await lan();
  const { client, balancer, real } = net;
  const made = await real.evenkeel("real", "--vip", VIP, "--vip", VIP6, "--mode", "tun");
  assert.equal(made.status, 0, made.output);
  const echo = real.node.start(ECHO);
  await echo.sees(/echo on 10\.0\.0\.100/);
  await echo.sees(/echo on fd00::100/);
  let sourcePort = 5_000;
  const ask = async (vip: IpAddress, wrap: (inner: Uint8Array) => Uint8Array) => {
    const { client: source } = inFamily(vip);
    client.seen.length = 0;
    const inner = udpPacket({ source, destination: vip, sourcePort: ++sourcePort, port: 7 }, `${sourcePort}`);
    balancer.send(ethernet(real.mac, balancer.mac, wrap(inner)));
    const answer = await until("an answer from the VIP", () => packetFrom(client, vip, 17));
    assert.match(new TextDecoder().decode(answer), new RegExp(`echo ${sourcePort}$`));
  };
  const around = (outer: Addressed) => (inner: Uint8Array) => tunnelled(outer, inner);
  for (const vip of [VIP, VIP6]) {
    await ask(vip, (inner) => inner);
    await ask(vip, around(inFamily(VIP).outer));
    await ask(vip, around(inFamily(VIP6).outer));
  }
  const { output } = await real.evenkeel("real", "--json");
  assert.equal(JSON.parse(output).counters.decapsulated, 4);
});

/** The MSS option of a TCP header; undefined when there is none. Linux writes it first. */
const mssOf = (segment: Uint8Array) => (segment[20] === 2 ? ((segment[22] ?? 0) << 8) | (segment[23] ?? 0) : undefined);

test("with tunnels clients are offered an MSS that fits them, under a checksum that is right", async () => {
  await using net = await lan();
  const { client, real } = net;
  // The kernel then computes whole checksums before a packet leaves, on top of what the program has changed.
  await real.node.run(peerPath("ethtool"), "-K", "eth0", "tx", "off");
  await real.evenkeel("real", "--vip", VIP, "--vip", VIP6, "--mode", "tun");
  const server = `require("net").createServer((s) => s.end()).listen(80, "::", () => console.log("listening"))`;
  await real.node.start([process.execPath, "-e", server]).sees(/listening/);
  const offered = async (vip: IpAddress) => {
    client.seen.length = 0;
    await client.node.run("ip", "neigh", "replace", vip, "lladdr", real.mac, "dev", "eth0");
    await client.node.run(process.execPath, "-e", `require("net").connect(80, "${vip}").resume()`);
    const packet = await until("an answer to the SYN", () => packetFrom(client, vip, 6));
    const segment = packet.subarray(isIpv4(vip) ? 20 : 40);
    const pseudo = pseudoHeader(6, { source: vip, destination: inFamily(vip).client }, segment.length);
    assert.equal(internetChecksum(pseudo, segment), 0);
    return mssOf(segment);
  };
  assert.equal(await offered(VIP), 1500 - 20 - 20 - 20);
  assert.equal(await offered(VIP6), 1500 - 40 - 40 - 20);
  await real.evenkeel("real", "--vip", VIP, "--mode", "tun", "--mss", "1000");
  assert.equal(await offered(VIP), 1000);
  await real.evenkeel("real", "--vip", VIP, "--mode", "tun", "--no-mss");
  assert.equal(await offered(VIP), 1460);
});

const loopback = async (host: Host): Promise<string[]> =>
  (await host.node.ipJson("addr", "show", "dev", "lo"))[0].addr_info.map(
    ({ local, prefixlen }: { local: string; prefixlen: number }) => `${local}/${prefixlen}`,
  );

test("--undo takes back one address or everything, and leaves what was there before", async () => {
  await using net = await lan();
  const { client, balancer, real } = net;
  const OLD = "10.0.0.99" as Ipv4Address;
  await real.node.run("ip", "addr", "add", `${OLD}/32`, "dev", "lo");
  const before = await loopback(real);
  await real.evenkeel("real", "--vip", OLD, "--vip", VIP, "--vip", VIP6, "--mode", "tun");
  assert.deepEqual((await loopback(real)).toSorted(), [...before, `${VIP}/32`, `${VIP6}/128`].toSorted());

  const one = await real.evenkeel("real", "--undo", "--vip", VIP6);
  assert.deepEqual(one, { status: 0, output: `${VIP6}/128 removed from lo\n` });
  assert.deepEqual(await answering(client, VIP), [balancer.mac], "the guard of the others stands");

  const pins = real.node.within(() => `/run/evenkeel/bpf/${networkNamespaceCookie()}`);
  assert.deepEqual(readdirSync(`${pins}/real`).length, 5);
  const all = await real.evenkeel("real", "--undo");
  assert.deepEqual(all.output.split("\n"), [
    `${VIP}/32 removed from lo`,
    `${OLD}/32 stays on lo: it was there before`,
    "eth0: end of tunnels removed",
    "eth0: neighbour guard removed",
    "",
  ]);
  assert.deepEqual(await loopback(real), before);
  assert.equal(existsSync(pins), false);
  assert.deepEqual(await answering(client, OLD), [real.mac]);
  assert.deepEqual(await real.evenkeel("real", "--undo"), { status: 0, output: "there was nothing to undo\n" });
});

test("a run that was cut short is completed by the next, and undone like any other", async () => {
  await using net = await lan();
  const { real } = net;
  const before = await loopback(real);
  await real.evenkeel("real", "--vip", VIP);
  // As when it was killed before its last step.
  await real.node.run("ip", "addr", "del", `${VIP}/32`, "dev", "lo");
  const again = await real.evenkeel("real", "--vip", VIP);
  assert.match(again.output, /^10\.0\.0\.100\/32 added to lo$/m);
  assert.match((await real.evenkeel("real", "--vip", VIP)).output, /^everything was set up already$/m);
  await real.node.run("ip", "addr", "del", `${VIP}/32`, "dev", "lo");
  assert.equal((await real.evenkeel("real", "--undo")).status, 0);
  assert.deepEqual(await loopback(real), before);
});

test("an interface that appears later has no guard until the next run; doctor says so", async () => {
  await using net = await lan();
  const { real } = net;
  await real.evenkeel("real", "--vip", VIP);
  const server = `require("net").createServer().listen(80, "0.0.0.0", () => console.log("listening"))`;
  await real.node.start([process.execPath, "-e", server]).sees(/listening/);
  const healthy = await real.evenkeel("doctor", "real", "--port", "80");
  assert.equal(healthy.status, 0, healthy.output);
  assert.match(healthy.output, /^ok {7}neighbours +hear nothing of 10\.0\.0\.100 on eth0 \(evenkeel real\)$/m);

  await real.node.run("ip", "link", "add", "eth1", "up", "type", "veth", "peer", "name", "eth2");
  await real.node.run("ip", "link", "set", "eth2", "up");
  await real.node.run("ip", "addr", "add", "10.1.0.30/24", "dev", "eth1");
  const ill = await real.evenkeel("doctor", "--json");
  assert.equal(ill.status, 1);
  const { sections } = JSON.parse(ill.output);
  const missing = sections
    .flatMap(({ findings }: { findings: { level: string; says: string }[] }) => findings)
    .filter(({ level }: { level: string }) => level === "missing");
  assert.deepEqual(missing.map(({ says }: { says: string }) => says.slice(0, 17)).toSorted(), ["eth1 answers ARP "]);
  await real.evenkeel("real", "--vip", VIP);
  assert.equal((await real.evenkeel("doctor")).status, 0);
});

test("what cannot be meant is refused, and changes nothing", async () => {
  await using net = await lan();
  const { balancer, real } = net;
  const refused = await balancer.evenkeel("real", "--vip", VIP);
  assert.equal(refused.status, 1);
  assert.match(refused.output, /^evenkeel real: 10\.0\.0\.100 is on eth0: this host answers for it/);
  assert.equal((await real.evenkeel("real", "--vip", VIP, "-I", "eth7")).status, 1);
  assert.equal((await real.evenkeel("real", "--vip", "10.0.0.300")).status, 2);
  assert.equal((await real.evenkeel("real", "--vip", "224.0.0.18")).status, 2);
  assert.equal((await real.evenkeel("real", "--mode", "tun")).status, 2);
  assert.equal((await real.evenkeel("real", "--vip", VIP, "--mss", "1")).status, 2);
  await real.node.run("ip", "link", "add", "br0", "type", "bridge");
  await real.node.run("ip", "link", "set", "eth0", "master", "br0");
  assert.match((await real.evenkeel("real", "--vip", VIP, "-I", "eth0")).output, /name the bridge or bond/);
  assert.deepEqual(await real.evenkeel("real"), { status: 0, output: "nothing is set up here\n" });
});

test("a REDIRECT rule instead of the VIP on lo is found, and needs no guard", async () => {
  await using net = await lan();
  const { real } = net;
  await real.node.run(
    peerPath("nft"),
    "add table ip nat; add chain ip nat pre { type nat hook prerouting priority -100; }",
  );
  assert.equal((await real.evenkeel("doctor", "real", "--vip", VIP, "--mode", "redirect")).status, 1);
  await real.node.run(peerPath("nft"), `add rule ip nat pre ip daddr ${VIP} tcp dport 80 redirect`);
  const server = `require("net").createServer().listen(80, "0.0.0.0", () => console.log("listening"))`;
  await real.node.start([process.execPath, "-e", server]).sees(/listening/);
  const { status, output } = await real.evenkeel("doctor");
  assert.equal(status, 0, output);
  assert.match(output, /^ok {7}VIP 10\.0\.0\.100 +a REDIRECT rule takes its packets$/m);
});
