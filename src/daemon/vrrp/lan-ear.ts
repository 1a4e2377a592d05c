/**
 * Listens on one interface for the observer: a packet socket with a filter in the kernel. Turns frames into observations
 * and says nothing of what they mean.
 *
 * A flood costs next to nothing: repetitions within a moment are passed over, and with too many frames the socket is
 * closed for a second.
 */

import { type IpAddress, ipv4FromBytes, ipv6FromBytes } from "../../base/ip.ts";
import { type MacAddress, macFromBytes } from "../../base/mac.ts";
import type { SystemError } from "../../sys/addon.ts";
import { type Frame, openPacketSocket, type PacketSocket } from "../../sys/packet-socket.ts";
import type { Observation } from "../../vrrp/neighbourhood/findings.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../wire/ethernet.ts";
import { PROTOCOL_ICMP } from "../../wire/ipv4.ts";
import { observerFilter } from "./observer-filter.ts";

/** A VRRP packet is no longer; what is cut off is not looked at. */
const SNAP_BYTES = 2_048;
const BUFFER_BYTES = 128 * 1024;
const EVERYTHING = 3;
const ETHERNET_HEADER = 14;
const ICMPV6 = 58;
/** The same neighbour saying the same kind of thing within a moment adds nothing. */
const MOMENT_MS = 200;
const MOST_A_MOMENT = 600;
/** With more frames a second the socket rests. */
const MOST_FRAMES = 5_000;

export interface EarOptions {
  readonly interface: string;
  readonly index: number;
  readonly addresses: readonly IpAddress[];
  /** Milliseconds of a clock that does not go back. */
  readonly now: () => number;
  readonly heard: (observation: Observation) => void;
  readonly failed: (error: SystemError) => void;
}

export class LanEar {
  readonly index: number;
  readonly #options: EarOptions;
  readonly #watched: ReadonlySet<string>;
  #socket: PacketSocket | undefined;
  #moment = 0;
  #seen = new Set<string>();
  #second = 0;
  #frames = 0;

  /** @throws SystemError */
  constructor(options: EarOptions) {
    this.#options = options;
    this.index = options.index;
    this.#watched = new Set(options.addresses);
    this.#open();
  }

  /** Once a second: one that rested listens again. @throws SystemError */
  wake(): void {
    if (this.#socket === undefined) this.#open();
  }

  /** @throws SystemError */
  send(frame: Uint8Array): void {
    this.#socket?.send(frame, this.index);
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #open(): void {
    this.#socket = openPacketSocket({
      interfaceIndex: this.index,
      protocol: EVERYTHING,
      ignoreOutgoing: true,
      filter: observerFilter(this.#options.addresses),
      snapLength: SNAP_BYTES,
      receiveBufferBytes: BUFFER_BYTES,
      onFrames: (frames) => this.#received(frames),
      onError: (error) => this.#options.failed(error),
    });
  }

  #received(frames: readonly Frame[]): void {
    const now = this.#options.now();
    if (now - this.#second >= 1_000) [this.#second, this.#frames] = [now, 0];
    if (now - this.#moment >= MOMENT_MS) {
      this.#moment = now;
      this.#seen = new Set();
    }
    this.#frames += frames.length;
    for (const frame of frames) {
      if (frame.outgoing || frame.bytes.length < frame.wireLength) continue;
      const observation = this.#observation(frame);
      if (observation === undefined) continue;
      const key = keyOf(observation);
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      if (this.#seen.size > MOST_A_MOMENT) {
        this.#overrun();
        break;
      }
      this.#options.heard(observation);
    }
    if (this.#frames > MOST_FRAMES) {
      this.close();
      this.#overrun();
    }
  }

  #overrun(): void {
    this.#options.heard({ type: "overrun", interface: this.#options.interface });
  }

  #observation({ bytes }: Frame): Observation | undefined {
    const { interface: name } = this.#options;
    const etherType = ((bytes[12] ?? 0) << 8) | (bytes[13] ?? 0);
    const packet = bytes.subarray(ETHERNET_HEADER);
    switch (etherType) {
      case ETHERTYPE_ARP:
        return this.#claim(ipv4FromBytes(packet, 14), macFromBytes(packet, 8));
      case ETHERTYPE_IPV4:
        if (packet[9] !== PROTOCOL_ICMP) break;
        return { type: "unreachable", interface: name, address: ipv4FromBytes(packet, 12) };
      case ETHERTYPE_IPV6:
        if (packet[6] !== ICMPV6) break;
        return this.#claim(ipv6FromBytes(packet, 48), macFromBytes(bytes, 6));
      default:
        return undefined;
    }
    return { type: "packet", interface: name, sourceMac: macFromBytes(bytes, 6), packet: packet.toHex() };
  }

  #claim(address: IpAddress, mac: MacAddress): Observation | undefined {
    if (!this.#watched.has(address)) return undefined;
    return { type: "claim", interface: this.#options.interface, address, mac };
  }
}

/** Who says what kind of thing. Of an advert: version, number and priority. */
function keyOf(observation: Observation): string {
  switch (observation.type) {
    case "packet": {
      const start = observation.packet[0] === "6" ? 80 : Number.parseInt(observation.packet[1] ?? "5", 16) * 8;
      return `${observation.sourceMac} ${observation.packet.slice(start, start + 6)}`;
    }
    case "claim":
      return `${observation.mac} ${observation.address}`;
    case "unreachable":
      return observation.address;
    default:
      return observation.type;
  }
}
