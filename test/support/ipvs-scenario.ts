/**
 * Scenarios of layer-4 balancing: ipvsadm's commands and packets of clients, with the servers that were chosen.
 *
 * scripts/oracle/ plays them against the kernel's IPVS and writes down the answers (test/fixtures/ipvs/); tests play the
 * same against our data plane. Servers are called by the last number of their address: 192.168.8.3 and fd08::3 are `3`.
 */

import { ByteWriter } from "../../src/base/bytes.ts";
import {
  type IpAddress,
  type Ipv4Address,
  ipToBytes,
  ipv4FromBytes,
  ipv6FromBytes,
  parseIp,
} from "../../src/base/ip.ts";
import { internetChecksum } from "../../src/wire/checksum.ts";
import { encodeIpv4 } from "../../src/wire/ipv4.ts";

export type PacketKind = "syn" | "ack" | "fin" | "rst" | "udp";

/** `count` packets to one address, each from another client. */
export interface Packets {
  readonly kind: PacketKind;
  /** Address and port of the first client. */
  readonly from: string;
  readonly port: number;
  /** What the next client's address and port have more; 0 and 1 when missing. */
  readonly addressStep?: number;
  readonly portStep?: number;
  readonly count: number;
  readonly to: string;
  readonly toPort: number;
}

export type Step =
  | { readonly ipvsadm: string }
  | {
      readonly send: Packets;
      /** Server of each packet's connection afterwards; `-` where there is none. Missing for connections of before. */
      readonly chosen?: string;
      /** After the packets, each server in ipvsadm's order: name=ActiveConn/InActConn. */
      readonly counts?: string;
    }
  | { readonly waitSeconds: number }
  /** Packets to this network carry a firewall mark. */
  | { readonly mark: number; readonly network: string };

export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** A file of test/fixtures/ipvs/. */
export interface Capture {
  /** Release of the kernel whose IPVS answered. */
  readonly kernel: string;
  readonly scenarios: readonly Scenario[];
}

export interface Client {
  readonly address: IpAddress;
  readonly port: number;
}

export function* clientsOf(packets: Packets): Generator<Client> {
  const first = parseIp(packets.from);
  if (first === undefined) throw new Error(`not an address: ${packets.from}`);
  const { addressStep = 0, portStep = 1 } = packets;
  for (let i = 0; i < packets.count; i++) {
    const bytes = ipToBytes(first);
    const view = new DataView(bytes.buffer);
    view.setUint32(bytes.length - 4, view.getUint32(bytes.length - 4) + i * addressStep);
    const address = bytes.length === 4 ? ipv4FromBytes(bytes) : ipv6FromBytes(bytes);
    yield { address, port: packets.port + i * portStep };
  }
}

const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
const tcpFlags = { syn: 0x02, ack: 0x10, fin: 0x11, rst: 0x04 } as const;

export const protocolOf = (packets: Packets): "tcp" | "udp" => (packets.kind === "udp" ? "udp" : "tcp");

/** The packet of one of `clientsOf(packets)`, from its IP header on. */
export function encodePacket(packets: Packets, client: Client): Uint8Array {
  const destination = parseIp(packets.to);
  if (destination === undefined) throw new Error(`not an address: ${packets.to}`);
  const protocol = packets.kind === "udp" ? PROTOCOL_UDP : PROTOCOL_TCP;
  const segment = encodeSegment(packets.kind, client.port, packets.toPort);
  const source = ipToBytes(client.address);
  const target = ipToBytes(destination);
  const pseudo = new ByteWriter(source.length + target.length + 4)
    .put(source)
    .put(target)
    .u16(protocol)
    .u16(segment.length);
  const checksum = internetChecksum(pseudo.done(), segment);
  new DataView(segment.buffer).setUint16(protocol === PROTOCOL_UDP ? 6 : 16, checksum);
  if (source.length === 4) {
    return encodeIpv4({
      typeOfService: 0,
      identification: 1,
      flagsAndOffset: 0x4000,
      timeToLive: 64,
      protocol,
      source: client.address as Ipv4Address,
      destination: destination as Ipv4Address,
      options: new Uint8Array(0),
      payload: segment,
    });
  }
  const header = new ByteWriter(8).u16(0x6000).u16(0).u16(segment.length).u8(protocol).u8(64).done();
  const length = header.length + source.length + target.length + segment.length;
  return new ByteWriter(length).put(header).put(source).put(target).put(segment).done();
}

function encodeSegment(kind: PacketKind, from: number, to: number): Uint8Array {
  if (kind === "udp") return new ByteWriter(12).u16(from).u16(to).u16(12).u16(0).u16(0).u16(0).done();
  const segment = new ByteWriter(20)
    .u16(from)
    .u16(to)
    .u16(0)
    .u16(1)
    .u16(0)
    .u16(kind === "syn" ? 0 : 1);
  return segment.u8(0x50).u8(tcpFlags[kind]).u16(65535).u16(0).u16(0).done();
}
