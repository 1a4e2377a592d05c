/** A probe by ICMP echo (RFC 792) over a raw socket: who answers, and with what TTL the reply arrives. */

import { execFileSync } from "node:child_process";
import { type Ipv4Address, parseIpv4 } from "../base/ip.ts";
import { readInterfaces } from "../sys/interfaces.ts";
import { openRawSocket } from "../sys/raw-socket.ts";
import { asEcho, decodeIcmp, encodeEcho } from "../wire/icmp.ts";
import { decodeIpv4, encodeIpv4, type Ipv4Packet, PROTOCOL_ICMP } from "../wire/ipv4.ts";
import type { Probe, ProbeOutcome } from "./probe.ts";

/** As ping(8) starts with. */
const TTL = 64;
const PAYLOAD = new TextEncoder().encode("evenkeel evenkeel evenkeel evenkeel evenkeel evenkeel..");

export interface EchoProbe {
  readonly probe: Probe;
  close(): void;
}

/** Throws when the address is none, no route leads to it, or raw sockets are refused. */
export function echoProbe(address: string, timeoutMs: number): EchoProbe {
  const destination = parseIpv4(address);
  if (destination === undefined) throw new Error(`"${address}" is no IPv4 address`);
  const identifier = process.pid & 0xffff;
  const waiting = new Map<number, (outcome: ProbeOutcome) => void>();
  const socket = openRawSocket({
    protocol: PROTOCOL_ICMP,
    interface: interfaceTowards(destination),
    onPackets(packets) {
      for (const { bytes } of packets) {
        const ip = decodeIpv4(bytes);
        const icmp = ip.ok ? decodeIcmp(ip.value.payload) : ip;
        if (!ip.ok || !icmp.ok) continue;
        const echo = asEcho(icmp.value);
        if (echo?.kind !== "reply" || echo.identifier !== identifier) continue;
        waiting.get(echo.sequence)?.({ ok: true, by: ip.value.source, ttl: ip.value.timeToLive });
      }
    },
    onError() {},
  });
  const probe: Probe = (sequence) =>
    new Promise((resolve) => {
      const number = sequence & 0xffff;
      const timer = setTimeout(() => settle({ ok: false, error: "timeout" }), timeoutMs);
      const settle = (outcome: ProbeOutcome) => {
        clearTimeout(timer);
        waiting.delete(number);
        resolve(outcome);
      };
      waiting.set(number, settle);
      const payload = encodeEcho({ kind: "request", identifier, sequence: number, data: PAYLOAD });
      try {
        socket.send(encodeIpv4(packetTo(destination, payload)), destination);
      } catch (error) {
        settle({ ok: false, error: (error as NodeJS.ErrnoException).code ?? String(error) });
      }
    });
  return { probe, close: () => socket.close() };
}

/** The sender's address is left to the kernel, ip(7). */
const packetTo = (destination: Ipv4Address, payload: Uint8Array): Ipv4Packet => ({
  typeOfService: 0,
  identification: 0,
  flagsAndOffset: 0x4000,
  timeToLive: TTL,
  protocol: PROTOCOL_ICMP,
  source: "0.0.0.0" as Ipv4Address,
  destination,
  options: new Uint8Array(),
  payload,
});

/** The interface that the routing table chooses now. */
function interfaceTowards(destination: Ipv4Address): { index: number; name: string } {
  const found = execFileSync("ip", ["-json", "route", "get", destination], { encoding: "utf8", stdio: "pipe" });
  const [route] = JSON.parse(found) as readonly { readonly dev: string }[];
  const chosen = [...readInterfaces().values()].find((one) => one.name === route?.dev);
  if (chosen === undefined) throw new Error(`no route to ${destination}`);
  return { index: chosen.index, name: chosen.name };
}
