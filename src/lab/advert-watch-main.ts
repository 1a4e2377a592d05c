/**
 * Listens to VRRP adverts on one interface and prints each as a line of JSON, until it is ended: the view of a bystander
 * on who owns a virtual router.
 *
 *   node advert-watch-main.ts INTERFACE
 */

import type { Ipv4Address } from "../base/ip.ts";
import { readInterfaces } from "../sys/interfaces.ts";
import { openRawSocket } from "../sys/raw-socket.ts";
import { decodeIpv4 } from "../wire/ipv4.ts";
import { decodeAdvert } from "../wire/vrrp.ts";

/** One advert as a bystander sees it. */
export interface SeenAdvert {
  /** CLOCK_MONOTONIC, milliseconds with a fraction, as in `ProbeRecord`. */
  readonly atMs: number;
  readonly from: string;
  readonly virtualRouterId: number;
  readonly priority: number;
}

const VRRP_GROUP = "224.0.0.18" as Ipv4Address;

const name = process.argv[2] ?? "";
const found = [...readInterfaces().values()].find((one) => one.name === name);
if (found === undefined) {
  process.stderr.write(`no interface ${name}\n`);
  process.exit(1);
}
openRawSocket({
  protocol: 112,
  interface: found,
  multicastGroup: VRRP_GROUP,
  onPackets(packets) {
    for (const { bytes } of packets) {
      const ip = decodeIpv4(bytes);
      const received = ip.ok ? decodeAdvert(ip.value.payload) : ip;
      if (!ip.ok || !received.ok) continue;
      const { virtualRouterId, priority } = received.value.advert;
      const seen: SeenAdvert = {
        atMs: Number(process.hrtime.bigint()) / 1e6,
        from: ip.value.source,
        virtualRouterId,
        priority,
      };
      process.stdout.write(`${JSON.stringify(seen)}\n`);
    }
  },
  onError: (error) => process.stderr.write(`${error.message}\n`),
});
process.stdout.write(`${JSON.stringify({ listening: name })}\n`);
