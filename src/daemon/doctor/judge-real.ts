/**
 * Judges a real server: does it take the VIP's packets, and does it keep quiet about the VIP (scenarios.md S1, S4; l4.md §4
 * rows 13, 27)? Pure.
 */

import { type IpAddress, isIpv4 } from "../../base/ip.ts";
import type { RealMode } from "../real/state.ts";
import type { Endpoint, Facts, InterfaceFacts } from "./facts.ts";
import { type Finding, missing, note, ok } from "./finding.ts";

export interface RealQuestion {
  readonly vips: readonly IpAddress[];
  /** How the balancer sends; undefined: as it is set up, else dr. */
  readonly mode: RealMode | "redirect" | undefined;
  /** Of the service; undefined: any. */
  readonly port: number | undefined;
}

const LOOPBACK = "lo";

/** The addresses for which this host is seen to be a real server: set up by `evenkeel real`, alone on lo, or redirected. */
export function realVips({ real, interfaces, redirects }: Facts): IpAddress[] {
  const setUp = typeof real === "string" ? [] : real.vips.map(({ address }) => address);
  const lo = interfaces.find(({ name }) => name === LOOPBACK);
  const alone = (lo?.addresses ?? []).filter(
    ({ address, prefixLength }) =>
      !address.startsWith("127.") && address !== "::1" && prefixLength === (isIpv4(address) ? 32 : 128),
  );
  const redirected = (redirects ?? []).flatMap(({ address }) => (address === undefined ? [] : [address]));
  return [...new Set([...setUp, ...alone.map(({ address }) => address), ...redirected])].sort();
}

export function judgeReal(facts: Facts, question: RealQuestion): Finding[] {
  const findings: Finding[] = [];
  if (typeof facts.real === "string") {
    findings.push(missing("evenkeel real", `its state could not be read: ${facts.real}`, "run it as root"));
  } else if (facts.real.vips.length === 0) {
    findings.push(note("evenkeel real", "nothing is set up by it here"));
  }
  if (question.vips.length === 0) {
    findings.push(
      missing(
        "VIP",
        "nothing here looks like the address of a service",
        "evenkeel real --vip ADDRESS, or name it to the doctor",
      ),
    );
  }
  for (const vip of question.vips) findings.push(...judgeVip(facts, vip, question));
  return findings;
}

function judgeVip(facts: Facts, vip: IpAddress, { mode: asked, port }: RealQuestion): Finding[] {
  const subject = `VIP ${vip}`;
  const setUp = typeof facts.real === "string" ? undefined : facts.real.vips.find(({ address }) => address === vip);
  const holder = facts.interfaces.find(({ addresses }) => addresses.some(({ address }) => address === vip));
  const redirect = redirectOf(facts, vip, port);
  const mode = asked ?? setUp?.mode ?? (holder === undefined && redirect ? "redirect" : "dr");
  if (mode === "redirect")
    return [...judgeRedirect(facts, vip, redirect, holder), judgeListener(facts, vip, port, true)];
  return [
    judgePlace(vip, holder, redirect, mode),
    ...(holder === undefined ? [] : judgeGuard(facts, vip, setUp !== undefined)),
    ...(mode === "tun" ? judgeTunnel(facts, vip, setUp?.mode === "tun") : []),
    judgeListener(facts, vip, port, false),
    ...(setUp === undefined || setUp.mode === mode
      ? []
      : [missing(subject, `is set up for ${setUp.mode}, not for ${mode}`, command(vip, mode))]),
  ];
}

function judgePlace(vip: IpAddress, holder: InterfaceFacts | undefined, redirect: boolean, mode: RealMode): Finding {
  const subject = `VIP ${vip}`;
  if (holder?.name === LOOPBACK) return ok(subject, "is on lo");
  if (holder !== undefined) {
    return missing(
      subject,
      `is on ${holder.name}, where its neighbours are told of it: a real server carries it on lo`,
      `ip address del ${vip} dev ${holder.name}, then ${command(vip, mode)}`,
    );
  }
  if (redirect) return ok(subject, "is not on lo, but a REDIRECT rule takes its packets");
  return missing(subject, "is not on lo: its packets arrive here and are dropped", command(vip, mode));
}

/** ARP for IPv4. Linux answers neighbour solicitations only for addresses of the interface that is asked, so lo is silent. */
function judgeGuard(facts: Facts, vip: IpAddress, isSetUp: boolean): Finding[] {
  const links = facts.interfaces.filter(({ guardable, up }) => guardable && up);
  const ours = typeof facts.real === "string" ? [] : facts.real.interfaces;
  const subject = "neighbours";
  const guarded: string[] = [];
  const bySysctl: string[] = [];
  const findings: Finding[] = [];
  for (const link of links) {
    const found = ours.find(({ name }) => name === link.name);
    if (isSetUp && found?.guard !== undefined) {
      guarded.push(link.name);
      if (found.stale) {
        findings.push(
          missing(subject, `${link.name} has other addresses than when it was guarded`, `${command(vip, "dr")} again`),
        );
      }
    } else if (!isIpv4(vip)) {
    } else if (link.arpIgnore >= 1 && link.arpAnnounce === 2) {
      bySysctl.push(link.name);
    } else {
      findings.push(judgeBareLink(link, vip));
    }
  }
  if (guarded.length > 0) findings.push(ok(subject, `hear nothing of ${vip} on ${guarded.join(", ")} (evenkeel real)`));
  if (bySysctl.length > 0) {
    findings.push(ok(subject, `hear nothing of ${vip} on ${bySysctl.join(", ")} (arp_ignore, arp_announce)`));
  }
  if (findings.length === 0 && !isIpv4(vip))
    findings.push(ok(subject, `hear nothing of ${vip}: IPv6 speaks of an address only where it is`));
  return findings;
}

function judgeBareLink({ name, arpIgnore, arpAnnounce, addresses }: InterfaceFacts, vip: IpAddress): Finding {
  const does = arpIgnore >= 1 ? "speaks as" : arpAnnounce === 2 ? "answers ARP for" : "answers ARP for, and speaks as,";
  const cure = `evenkeel real --vip ${vip} (or sysctl net.ipv4.conf.all.arp_ignore=1 and arp_announce=2)`;
  // Nobody who looks for the VIP is likely to be there: the link of a container, a spare port.
  if (!addresses.some(({ address }) => isIpv4(address) && address !== vip)) {
    return note("neighbours", `${name}, which has no IPv4 address of its own, ${does} ${vip}`, cure);
  }
  return missing("neighbours", `${name} ${does} ${vip}: clients find this server in the place of the balancer`, cure);
}

/** ARPHRD_* of Linux's own ends of tunnels, by the family within and that around: ipip; sit; ip6tnl. */
const TUNNEL_TYPES = [768, 776, 769];

function judgeTunnel(facts: Facts, vip: IpAddress, isSetUp: boolean): Finding[] {
  const subject = "tunnels";
  const ours =
    typeof facts.real === "string" ? [] : facts.real.interfaces.filter(({ tunnels }) => tunnels !== undefined);
  const devices = facts.interfaces.filter(
    ({ hardwareType, flags }) => TUNNEL_TYPES.includes(hardwareType) && (flags & 1) !== 0,
  );
  const findings: Finding[] = [];
  if (isSetUp && ours.length > 0) {
    findings.push(ok(subject, `packets for ${vip} leave their tunnel at ${ours.map(({ name }) => name).join(", ")}`));
  } else if (devices.length > 0) {
    findings.push(ok(subject, `packets leave their tunnel at ${devices.map(({ name }) => name).join(", ")}`));
  } else {
    findings.push(missing(subject, `nothing takes packets for ${vip} out of their tunnel`, command(vip, "tun")));
  }
  const ends = isSetUp && ours.length > 0 ? ours.map(({ name }) => name) : devices.map(({ name }) => name);
  for (const { name, rpFilter } of facts.interfaces) {
    if (rpFilter !== 1 || !isIpv4(vip) || !ends.includes(name)) continue;
    // On a tunnel device no route leads back, so everything is dropped; on a link only what is answered elsewhere.
    const cure = `sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.${name}.rp_filter=2`;
    findings.push(
      ours.some((one) => one.name === name)
        ? note("rp_filter", `is strict on ${name}: clients whose answers leave by another interface are dropped`, cure)
        : missing(
            "rp_filter",
            `is strict on ${name}: no route to clients leads through a tunnel, so all are dropped`,
            cure,
          ),
    );
  }
  return findings;
}

function judgeListener(facts: Facts, vip: IpAddress, port: number | undefined, redirected: boolean): Finding {
  const subject = port === undefined ? `service on ${vip}` : `service on ${vip} port ${port}`;
  // What is redirected is for the address of the interface that it came in by, and perhaps for another port.
  const found = facts.listening.filter(
    (one) => (redirected || accepts(one, vip)) && (port === undefined || redirected || one.port === port),
  );
  if (found.length > 0) {
    const ports = [...new Set(found.map((one) => `${one.protocol}/${one.port}`))];
    return ok(subject, `something listens: ${ports.slice(0, 8).join(", ")}${ports.length > 8 ? ", …" : ""}`);
  }
  const elsewhere = facts.listening.filter((one) => one.port === port);
  const where = elsewhere.map(({ address }) => address ?? "any address").join(", ");
  return missing(
    subject,
    elsewhere.length > 0 ? `nothing listens there, only on ${where}` : "nothing listens: clients are refused",
    port === undefined ? "start the service" : `let the service listen on ${vip} or on any address`,
  );
}

const accepts = ({ address, family }: Endpoint, vip: IpAddress): boolean =>
  address === vip || (address === undefined && (family === undefined || family === (isIpv4(vip) ? 4 : 6)));

const redirectOf = ({ redirects }: Facts, vip: IpAddress, port: number | undefined): boolean =>
  (redirects ?? []).some(
    (one) => one.address === vip && (port === undefined || one.port === undefined || one.port === port),
  );

function judgeRedirect(facts: Facts, vip: IpAddress, found: boolean, holder: InterfaceFacts | undefined): Finding[] {
  const subject = `VIP ${vip}`;
  if (holder !== undefined) {
    return [
      note(subject, `is redirected, and on ${holder.name} as well: one of the two is enough`),
      ...judgeGuard(facts, vip, false),
    ];
  }
  if (found) return [ok(subject, "a REDIRECT rule takes its packets")];
  if (facts.redirects === undefined) {
    return [note(subject, "neither nft nor iptables-save is here to look for a REDIRECT rule")];
  }
  return [
    missing(
      subject,
      "no REDIRECT rule takes its packets",
      `iptables -t nat -A PREROUTING -d ${vip} -p tcp --dport PORT -j REDIRECT, or ${command(vip, "dr")}`,
    ),
  ];
}

const command = (vip: IpAddress, mode: RealMode): string =>
  `evenkeel real --vip ${vip}${mode === "tun" ? " --mode tun" : ""}`;
