/** What `evenkeel real` has set up on this host, as values and as lines for people. Pure. */

import type { AttachMethod } from "../../sys/bpf-attach.ts";
import type { GuardedVip, RealCounters, Spokesman } from "./state.ts";

export interface RealReport {
  readonly vips: readonly (GuardedVip & { readonly onLoopback: boolean })[];
  /** All that could be guarded. */
  readonly interfaces: readonly RealInterface[];
  /** Undefined when nothing is set up. */
  readonly counters: RealCounters | undefined;
}

export interface RealInterface {
  readonly name: string;
  readonly up: boolean;
  readonly guard: AttachMethod | undefined;
  readonly tunnels: AttachMethod | undefined;
  readonly asksAs: Spokesman | undefined;
  /** Its addresses have changed since: it asks in the name of one that it no longer has. */
  readonly stale: boolean;
  /** 1: packets whose answer would leave by another interface are dropped, also out of tunnels. */
  readonly rpFilter: number;
}

/** What a person should know about what is set up; a line each. */
export function remarks({ vips, interfaces }: RealReport): string[] {
  if (vips.length === 0) return [];
  const names = (which: (one: RealInterface) => boolean) => interfaces.filter(which).map(({ name }) => name);
  const tunnels = vips.some(({ mode }) => mode === "tun");
  const said: string[] = [];
  const bare = names(({ guard }) => guard === undefined);
  if (bare.length > 0) said.push(`${bare.join(", ")} has no guard: what asks there for a VIP is answered from here`);
  const stale = names(({ stale }) => stale);
  if (stale.length > 0) said.push(`addresses of ${stale.join(", ")} have changed: run it again`);
  const strict = tunnels ? names(({ rpFilter, tunnels: end }) => end !== undefined && rpFilter === 1) : [];
  for (const name of strict) {
    said.push(
      `rp_filter is strict on ${name}: a client whose answers leave by another interface is dropped after the tunnel; sysctl -w net.ipv4.conf.${name}.rp_filter=2 accepts it`,
    );
  }
  said.push("interfaces that appear later are guarded when this is run again, at each start of the machine too");
  return said;
}

/** The state, a line each; what nobody set up is said in one. */
export function describe(report: RealReport): string[] {
  if (report.vips.length === 0) return ["nothing is set up here"];
  const vips = report.vips.map(({ address, mode, mss, ownAddress, onLoopback }) => {
    const place = onLoopback ? (ownAddress ? "on lo" : "on lo from before") : "NOT on lo";
    return `${address}: ${mode}, ${place}${mss === 0 ? "" : `, MSS at most ${mss}`}`;
  });
  const interfaces = report.interfaces.map(({ name, guard, tunnels, asksAs }) => {
    if (guard === undefined) return `${name}: no guard`;
    const asks = [asksAs?.ipv4, asksAs?.ipv6].filter((address) => address !== undefined).join(", ");
    const ends = tunnels === undefined ? "" : `, tunnels end (${tunnels})`;
    return `${name}: guard (${guard})${ends}, asks as ${asks === "" ? "nobody" : asks}`;
  });
  const counted = Object.entries(report.counters ?? {}).filter(([, packets]) => packets > 0);
  const packets = counted.map(([name, count]) => `${COUNTED[name as keyof RealCounters]}: ${count}`);
  return [...vips, ...interfaces, ...packets];
}

const COUNTED: Readonly<Record<keyof RealCounters, string>> = {
  arpSilenced: "ARP answers and announcements withheld",
  arpRenamed: "ARP requests asked as somebody else",
  ndSilenced: "neighbour advertisements and solicitations withheld",
  ndRenamed: "neighbour solicitations asked as somebody else",
  decapsulated: "packets taken out of tunnels",
  tunnelFragment: "fragments of tunnel packets left alone",
  tunnelBroken: "tunnel packets dropped, their headers could not be removed",
  tunnelEcn: "tunnel packets dropped, marked for congestion on a flow that cannot hear of it",
  mssLowered: "MSS lowered",
};
