/** Judges a balancer: its services, the way to each real server, and what stands in the way of either. Pure. */

import { type IpAddress, isIpv4 } from "../../base/ip.ts";
import type { Facts, PlaneServer, PlaneService, RouteFacts } from "./facts.ts";
import { type Finding, missing, note, ok } from "./finding.ts";

/** Outer headers of IP in IP. */
const OUTER_BYTES = { 4: 20, 6: 40 } as const;
const ETHERNET_MTU = 1500;

/** @param vips only these; all when there are none */
export function judgeBalancer(facts: Facts, vips: readonly IpAddress[]): Finding[] {
  const { plane } = facts;
  if (plane === undefined && facts.machine.missingCapabilities.length > 0) {
    return [note("data plane", "cannot be looked at by this process, nor whether there is one", "run it as root")];
  }
  if (plane === undefined) {
    return [
      note(
        "data plane",
        "is not loaded: this host balances nothing at layer 4",
        "evenkeel run with virtual_server blocks, or evenkeel ipvsadm -A",
      ),
    ];
  }
  const services = plane.services.filter(
    ({ address }) => vips.length === 0 || (address !== undefined && vips.includes(address)),
  );
  const findings: Finding[] = [judgeAttachment(facts, plane.attached)];
  for (const vip of vips) {
    if (!services.some(({ address }) => address === vip)) {
      findings.push(
        missing(`VIP ${vip}`, "has no service here", `evenkeel ipvsadm -A -t ${vip}:PORT, or a virtual_server`),
      );
    }
  }
  if (services.length === 0 && vips.length === 0) findings.push(note("services", "there are none"));
  for (const vip of new Set(services.flatMap(({ address }) => (address === undefined ? [] : [address])))) {
    findings.push(judgePlace(facts, vip));
  }
  for (const service of services) findings.push(...judgeService(facts, service));
  return findings;
}

function judgeAttachment({ interfaces }: Facts, attached: readonly string[] | undefined): Finding {
  const subject = "data plane";
  if (attached === undefined) return ok(subject, "is loaded");
  const bare = interfaces.filter(({ name, guardable, up }) => guardable && up && !attached.includes(name));
  if (bare.length === 0) return ok(subject, `sees the packets of ${attached.join(", ")}`);
  return missing(
    subject,
    `does not see the packets of ${bare.map(({ name }) => name).join(", ")}`,
    "evenkeel run attaches to new interfaces by itself; without it, any evenkeel ipvsadm command does",
  );
}

function judgePlace({ interfaces, real }: Facts, vip: IpAddress): Finding {
  const subject = `VIP ${vip}`;
  const guarded = typeof real !== "string" && real.vips.some(({ address }) => address === vip);
  if (guarded) {
    return missing(
      subject,
      "is kept from this host's neighbours by evenkeel real, which is for real servers: nobody finds the balancer",
      `evenkeel real --undo --vip ${vip}`,
    );
  }
  const holder = interfaces.find(({ addresses }) => addresses.some(({ address }) => address === vip));
  if (holder === undefined) {
    return note(
      subject,
      "is not on this host: right for a standby",
      "on the active balancer VRRP puts it here, or ip address add",
    );
  }
  if (holder.name === "lo") {
    return note(subject, "is on lo, where no neighbour is told of it: right only if packets are routed here");
  }
  return holder.up
    ? ok(subject, `is on ${holder.name}`)
    : missing(subject, `is on ${holder.name}, which is down`, `ip link set ${holder.name} up`);
}

function judgeService(facts: Facts, service: PlaneService): Finding[] {
  if (service.servers.length === 0) {
    return [
      missing(
        service.name,
        "has no real server: clients get port unreachable",
        "add one, or see why checks took all away",
      ),
    ];
  }
  const findings: Finding[] = [];
  if (service.servers.every(({ weight }) => weight === 0)) {
    findings.push(
      missing(
        service.name,
        "all its real servers have weight 0: new clients get port unreachable",
        "give one a weight",
      ),
    );
  }
  return [...findings, ...service.servers.flatMap((server) => judgeServer(facts, service, server))];
}

function judgeServer(facts: Facts, service: PlaneService, server: PlaneServer): Finding[] {
  const { address, method } = server;
  const subject = `${service.name} -> ${address} ${method}`;
  const route = facts.routes[address];
  if (route?.interface === undefined) return [missing(subject, "no route leads to it", `ip route add ${address} …`)];
  if (route.local) return [ok(subject, "is this host itself")];
  const findings: Finding[] = [];
  if (method === "dr" && route.gateway !== undefined) {
    findings.push(
      missing(
        subject,
        `is behind the gateway ${route.gateway}: DR changes only the Ethernet address, so the server must be on the same link`,
        "use tun or nat for it",
      ),
    );
  }
  if (route.neighbour === "FAILED" || route.neighbour === "INCOMPLETE") {
    findings.push(
      missing(
        subject,
        `${route.gateway ?? address} does not answer on ${route.interface}`,
        "look whether it is up, and on that link",
      ),
    );
  }
  if (findings.length === 0) {
    const neighbour = route.neighbour === undefined ? "not asked for yet" : route.neighbour.toLowerCase();
    findings.push(
      ok(
        subject,
        `by ${route.interface}${route.gateway === undefined ? "" : ` via ${route.gateway}`}, neighbour ${neighbour}`,
      ),
    );
  }
  if (method === "tun") findings.push(...judgeTunnelMtu(facts, subject, server, route));
  return findings;
}

/** l4.md §4 row 12: without room for the outer header a flow stalls after its first window, unless the client is told. */
function judgeTunnelMtu(
  { interfaces }: Facts,
  subject: string,
  { address }: PlaneServer,
  route: RouteFacts,
): Finding[] {
  const mtu = route.mtu ?? interfaces.find(({ name }) => name === route.interface)?.mtu;
  if (mtu === undefined) return [];
  const outer = OUTER_BYTES[isIpv4(address) ? 4 : 6];
  const room = mtu - outer;
  const largest = Math.max(
    ETHERNET_MTU,
    ...interfaces.filter(({ guardable, name }) => guardable && name !== route.interface).map((one) => one.mtu),
  );
  if (room >= largest) return [ok(subject, `the tunnel has room for packets of ${room} bytes`)];
  return [
    note(
      subject,
      `the tunnel has room for packets of ${room} bytes, clients send up to ${largest}: they are told (ICMP), and stall where ICMP is filtered`,
      `evenkeel real --mode tun on the server lowers the MSS to fit, or an MTU of ${largest + outer} on the way to it`,
    ),
  ];
}
