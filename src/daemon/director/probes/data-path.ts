/**
 * `check_path data_plane`: does this server answer for the virtual address, reached in the way that clients' packets are?
 *
 * Half a TCP handshake (RFC 9293 §3.5) in frames as the data plane makes them: DR, to the server's hardware address with the
 * virtual address as destination; TUN, the same in IP in IP. The answer comes straight to us, and is seen before the kernel,
 * which owns that address itself, refuses it. It follows a probe of the server's own address that has passed, so a failure
 * here says which piece is missing. NAT needs none of it; UDP, other tunnels and those between two families are not looked
 * at: undefined then. The configuration's reader says so (config/keepalived/real-server-rules.ts).
 */

import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { type IpAddress, ipToBytes, isIpv4, isIpv6 } from "../../../base/ip.ts";
import { type Duration, milliseconds } from "../../../base/time.ts";
import type { RealServer, VirtualServer } from "../../../config/model/virtual-server.ts";
import { addon, constants } from "../../../sys/addon.ts";
import { readInterfaces } from "../../../sys/interfaces.ts";
import { IpSender } from "../../../sys/ip-sender.ts";
import { neighbour } from "../../../sys/neighbours.ts";
import { type FilterInstruction, openPacketSocket } from "../../../sys/packet-socket.ts";
import { decodeEthernet, ETHERTYPE_IPV4, ETHERTYPE_IPV6, encodeEthernet } from "../../../wire/ethernet.ts";
import { decodeIpv4, encodeIpv4 } from "../../../wire/ipv4.ts";
import { decodeIpv6, encodeIpv6 } from "../../../wire/ipv6.ts";
import { decodeTcp, encodeTcp, PROTOCOL_TCP, tcpFlag } from "../../../wire/tcp.ts";
import { type Abort, type Attempt, begin, type Report } from "./attempt.ts";

export interface DataPath {
  readonly method: "dr" | "tun";
  readonly virtual: { readonly address: IpAddress; readonly port: number };
  /** Of the same family. */
  readonly server: IpAddress;
}

/** What a packet is in another one: RFC 2003, RFC 2473. */
const PROTOCOL_IPIP = 4;
const PROTOCOL_IPV6 = 41;
const DONT_FRAGMENT = 0x4000;
const SYN_AGAIN = milliseconds(1_000);
const ETH_P_ALL = 3;
/** linux/if_packet.h. */
const PACKET_QDISC_BYPASS = 20;
const NO_BYTES = new Uint8Array();

/** The way that the clients of the first address go; undefined where there is none to look at. */
export function dataPathOf(virtual: VirtualServer, { key, settings }: RealServer): DataPath | undefined {
  const service = virtual.services.find((one) => one.kind === "address");
  const { method, tunnel } = settings;
  if (service === undefined || service.protocol !== "tcp" || service.port === 0 || method === "nat") return undefined;
  if (isIpv4(service.address) !== isIpv4(key.address)) return undefined;
  if (method === "tun" && tunnel.type !== "ipip") return undefined;
  return { method, virtual: { address: service.address, port: service.port }, server: key.address };
}

export function probeDataPath(path: DataPath, timeout: Duration, report: Report): Abort {
  return begin(report, (attempt) => {
    const route = createSocket(isIpv4(path.server) ? "udp4" : "udp6");
    attempt.afterwards(() => route.close());
    route.on("error", (error) => attempt.fail(error.message));
    // Not a packet is sent: connecting asks for the route, and so for the address that we have on it.
    route.connect(9, path.server, () => {
      try {
        handshake(attempt, path, timeout, route.address().address as IpAddress);
      } catch (error) {
        attempt.fail(error instanceof Error ? error.message : String(error));
      }
    });
  });
}

function handshake(attempt: Attempt, path: DataPath, timeout: Duration, source: IpAddress): void {
  const { virtual } = path;
  const sourcePort = randomInt(32_768, 61_000);
  const sequence = randomInt(2 ** 32);
  const send = sender(attempt, path, source);
  const longestSegment = isIpv4(virtual.address) ? 1_460 : 1_440;
  const segment = (flags: number, number: number) => {
    const header = {
      sourcePort,
      destinationPort: virtual.port,
      sequence: number,
      acknowledgement: 0,
      flags,
      window: 64_240,
    };
    return encodeTcp(source, virtual.address, header, flags === tcpFlag.syn ? longestSegment : undefined);
  };
  const socket = openPacketSocket({
    interfaceIndex: 0,
    protocol: ETH_P_ALL,
    filter: answersOnly(virtual.address, virtual.port, sourcePort),
    onFrames: (frames) => {
      for (const { bytes } of frames) {
        const frame = decodeEthernet(bytes);
        const packet = frame.ok ? decodePacket(virtual.address, frame.value.payload) : frame;
        const answer = packet.ok ? decodeTcp(packet.value.payload) : packet;
        if (!answer.ok || answer.value.acknowledgement !== (sequence + 1) >>> 0) continue;
        if ((answer.value.flags & tcpFlag.rst) !== 0)
          return attempt.fail(`the server refuses ${virtual.address}:${virtual.port}: nothing listens there for it`);
        send(segment(tcpFlag.rst, (sequence + 1) >>> 0));
        return attempt.pass(`answers for ${virtual.address}:${virtual.port}`);
      }
    },
    onError: () => undefined,
  });
  attempt.afterwards(() => socket.close());
  const again = setInterval(() => send(segment(tcpFlag.syn, sequence)), SYN_AGAIN / 1_000);
  attempt.afterwards(() => clearInterval(again));
  attempt.deadline(timeout, () => attempt.fail(missing(path)));
  send(segment(tcpFlag.syn, sequence));
}

/** What is left to blame once the server's own address has answered. */
function missing({ method, virtual }: DataPath): string {
  const either = `the server does not accept ${virtual.address}: it is not on its lo and there is no REDIRECT for it`;
  return method === "dr" ? either : `${either}, or it does not take packets out of IP in IP`;
}

/** Sends a segment as the data plane would. @throws {Error} where there is no such way */
function sender(attempt: Attempt, path: DataPath, source: IpAddress): (segment: Uint8Array) => void {
  const inner = (segment: Uint8Array) => packetOf(source, path.virtual.address, PROTOCOL_TCP, segment);
  if (path.method === "tun") {
    const ip = new IpSender();
    attempt.afterwards(() => ip.close());
    const protocol = isIpv4(path.server) ? PROTOCOL_IPIP : PROTOCOL_IPV6;
    return (segment) => void ip.send(packetOf(source, path.server, protocol, inner(segment)), path.server);
  }
  const next = neighbour(path.server);
  const device = next === undefined ? undefined : readInterfaces().get(next.interfaceIndex);
  if (next === undefined || device?.mac === undefined)
    throw new Error(`${path.server} is no neighbour on a network of this host: DR cannot reach it`);
  const frames = openPacketSocket();
  // Past our own programs on the way out: they would choose a server for it, and none when this one is down.
  addon.setsockopt(frames.fd, constants.SOL_PACKET, PACKET_QDISC_BYPASS, 1);
  attempt.afterwards(() => frames.close());
  const [destination, from] = [next.mac, device.mac];
  const etherType = isIpv4(path.server) ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
  return (segment) =>
    frames.send(encodeEthernet({ destination, source: from, etherType, payload: inner(segment) }), next.interfaceIndex);
}

function packetOf(source: IpAddress, destination: IpAddress, protocol: number, payload: Uint8Array): Uint8Array {
  if (isIpv6(source) && isIpv6(destination)) {
    const packet = { trafficClass: 0, flowLabel: 0, nextHeader: protocol, hopLimit: 64, source, destination, payload };
    return encodeIpv6(packet);
  }
  if (!isIpv4(source) || !isIpv4(destination)) throw new Error(`no way from ${source} to ${destination}`);
  return encodeIpv4({
    typeOfService: 0,
    identification: randomInt(0x1_0000),
    flagsAndOffset: DONT_FRAGMENT,
    timeToLive: 64,
    protocol,
    source,
    destination,
    options: NO_BYTES,
    payload,
  });
}

const decodePacket = (like: IpAddress, bytes: Uint8Array) => (isIpv4(like) ? decodeIpv4(bytes) : decodeIpv6(bytes));

/** Classic BPF over Ethernet frames (linux/filter.h): TCP from the virtual address and port to our port, unfragmented. */
function answersOnly(address: IpAddress, port: number, ourPort: number): FilterInstruction[] {
  return isIpv4(address) ? answersOverIpv4(address, port, ourPort) : answersOverIpv6(address, port, ourPort);
}

function answersOverIpv4(address: IpAddress, port: number, ourPort: number): FilterInstruction[] {
  const [word = 0] = wordsOf(address);
  return [
    [0x28, 0, 0, 12], // EtherType
    [0x15, 0, 11, ETHERTYPE_IPV4],
    [0x20, 0, 0, 26], // source
    [0x15, 0, 9, word],
    [0x30, 0, 0, 23], // protocol
    [0x15, 0, 7, PROTOCOL_TCP],
    [0x28, 0, 0, 20], // fragment offset
    [0x45, 5, 0, 0x1fff],
    [0xb1, 0, 0, 14], // x: header length
    [0x48, 0, 0, 14],
    [0x15, 0, 2, port],
    [0x48, 0, 0, 16],
    [0x15, 1, 0, ourPort],
    [0x06, 0, 0, 0],
    [0x06, 0, 0, 0xffff],
  ];
}

function answersOverIpv6(address: IpAddress, port: number, ourPort: number): FilterInstruction[] {
  const [a = 0, b = 0, c = 0, d = 0] = wordsOf(address);
  return [
    [0x28, 0, 0, 12], // EtherType
    [0x15, 0, 14, ETHERTYPE_IPV6],
    [0x30, 0, 0, 20], // next header
    [0x15, 0, 12, PROTOCOL_TCP],
    [0x20, 0, 0, 22], // source
    [0x15, 0, 10, a],
    [0x20, 0, 0, 26],
    [0x15, 0, 8, b],
    [0x20, 0, 0, 30],
    [0x15, 0, 6, c],
    [0x20, 0, 0, 34],
    [0x15, 0, 4, d],
    [0x28, 0, 0, 54], // ports
    [0x15, 0, 2, port],
    [0x28, 0, 0, 56],
    [0x15, 1, 0, ourPort],
    [0x06, 0, 0, 0],
    [0x06, 0, 0, 0xffff],
  ];
}

/** Of 32 bits, in host order. */
function wordsOf(address: IpAddress): number[] {
  const view = new DataView(ipToBytes(address).buffer);
  return Array.from({ length: view.byteLength / 4 }, (_, index) => view.getUint32(index * 4));
}
