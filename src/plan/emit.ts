/** A plan as keepalived.conf, one text a host, in words that keepalived 2.x and evenkeel both read. */

import { isIpv6 } from "../base/ip.ts";
import { fail, ok, type Result } from "../base/result.ts";
import type { VipAddress } from "./addresses.ts";
import { MOST_VIPS, type PlannedVip, type PlanProblem, tooManyVips, type WorstCase } from "./problem.ts";
import { formatRate, formatShare } from "./rate.ts";

export interface EmitSettings {
  readonly hostNames: readonly string[];
  readonly addresses: readonly VipAddress[];
  readonly interface: string;
  /** Virtual router number of the first VIP; the others follow. */
  readonly firstVrid: number;
  /** Whole seconds go as version 2, others as version 3, which counts hundredths. */
  readonly advertSeconds: number;
}

const STEPS = [50, 40, 30, 25, 20, 15, 10, 9, 8];
const HIGHEST = 250;

/**
 * Place in an order → priority. As far apart as 1..254 allows: a router waits (256 − priority)/256 of an interval longer than
 * the next better one (RFC 9568 §6.1), so wide steps keep two survivors from taking over at once.
 */
export function priorityAt(place: number, hosts: number): number {
  const step = STEPS.find((one) => HIGHEST - one * (hosts - 1) >= 1) ?? 8;
  return HIGHEST - step * place;
}

/** Priorities of a VIP by host. */
export const prioritiesOf = ({ order }: PlannedVip): number[] => {
  const priorities = order.map(() => 0);
  for (const [place, host] of order.entries()) priorities[host] = priorityAt(place, order.length);
  return priorities;
};

/** File name → text. The reason when the settings do not go with the plan. */
export function emitKeepalived(
  vips: readonly PlannedVip[],
  problem: PlanProblem,
  worst: readonly WorstCase[],
  settings: EmitSettings,
): Result<Map<string, string>, string> {
  const wrong = mistake(vips.length, problem.links.length, settings);
  if (wrong !== undefined) return fail(wrong);
  return ok(
    new Map(
      settings.hostNames.map((name, host) => [
        `${name}.conf`,
        [
          heading(host, vips, problem, worst, settings),
          ...vips.map((vip, index) => instance(index, host, vip, settings)),
        ].join("\n"),
      ]),
    ),
  );
}

function mistake(count: number, hosts: number, settings: EmitSettings): string | undefined {
  const { hostNames, addresses, firstVrid, advertSeconds } = settings;
  if (hostNames.length !== hosts) return `${hostNames.length} host names for ${hosts} hosts`;
  if (new Set(hostNames).size !== hosts) return "two hosts have the same name";
  const bad = hostNames.find((name) => !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name));
  if (bad !== undefined) return `"${bad}" is no host name`;
  if (!/^[^\s/{}"#!]{1,15}$/.test(settings.interface)) return `"${settings.interface}" is no interface`;
  if (addresses.length !== count) return `the plan has ${count} VIPs, and ${addresses.length} addresses are given`;
  if (!Number.isInteger(firstVrid) || firstVrid < 1 || firstVrid > MOST_VIPS)
    return "a virtual router has a number of 1 to 255";
  if (firstVrid + count - 1 > MOST_VIPS) {
    return firstVrid === 1 ? tooManyVips(count) : `${count} VIPs from number ${firstVrid} on go beyond ${MOST_VIPS}`;
  }
  const [most, least] = isVersion3(settings) ? [40.95, 0.01] : [255, 1];
  const hundredths = advertSeconds * 100;
  if (!(advertSeconds >= least && advertSeconds <= most) || Math.abs(hundredths - Math.round(hundredths)) > 1e-6) {
    return `adverts every ${advertSeconds} s: whole seconds up to 255 (version 2), or hundredths from 0.01 to 40.95 (version 3)`;
  }
  return undefined;
}

const isVersion3 = ({ advertSeconds, addresses }: EmitSettings): boolean =>
  !Number.isInteger(advertSeconds) || addresses.some(({ address }) => isIpv6(address));

function heading(
  host: number,
  vips: readonly PlannedVip[],
  { links, traffic, headroom }: PlanProblem,
  worst: readonly WorstCase[],
  { hostNames }: EmitSettings,
): string {
  const held = vips.flatMap(({ order }, index) => (order[0] === host ? [`VIP_${index + 1}`] : []));
  return [
    `# ${hostNames[host]}: host ${host + 1} of ${links.length} of a plan by evenkeel plan`,
    "#",
    `# ${formatRate(traffic)} by ${vips.length} VIPs; links of ${links.map((link) => formatRate(link)).join(", ")};`,
    `# ${formatShare(headroom)} of every link to stay free. The busiest link of a survivor:`,
    ...worst.map(
      ({ failures, use, load }) =>
        `#   ${failures === 0 ? "all hosts up" : `${failures} failed`}: ${formatRate(load)}, ${formatShare(use)} of its link`,
    ),
    `# Held here with all hosts up: ${held.length === 0 ? "nothing" : held.join(", ")}.`,
    "# The priorities are the plan. Whoever changes one changes who takes over from whom.",
    "",
  ].join("\n");
}

function instance(index: number, host: number, vip: PlannedVip, settings: EmitSettings): string {
  const { hostNames, addresses, firstVrid, advertSeconds } = settings;
  const { address, prefixLength } = addresses[index] ?? { address: "", prefixLength: 0 };
  return [
    `# ${vip.order.map((one) => hostNames[one]).join(" > ")}; ${formatRate(vip.load)}`,
    `vrrp_instance VIP_${index + 1} {`,
    "    state BACKUP",
    `    interface ${settings.interface}`,
    `    virtual_router_id ${firstVrid + index}`,
    `    priority ${prioritiesOf(vip)[host]}`,
    ...(isVersion3(settings) ? ["    version 3"] : []),
    `    advert_int ${advertSeconds}`,
    "    virtual_ipaddress {",
    `        ${address}/${prefixLength}`,
    "    }",
    "}",
    "",
  ].join("\n");
}
