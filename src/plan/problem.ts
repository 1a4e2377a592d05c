/**
 * What a plan is asked for and what it is: VIPs, and for each VIP the order in which hosts own it.
 *
 * VRRP elects the living router of the highest priority (RFC 9568 §6.4), so an order of the hosts a VIP fixes the owner of
 * every VIP under every set of failed hosts. A VIP moves whole. Hosts are numbered from 0; loads and links are bit/s.
 */

export interface PlanProblem {
  /** Speed of each host's link. */
  readonly links: readonly number[];
  /** Hosts that may be gone at the same time. */
  readonly failures: number;
  /** Share of every link that stays free, 0..1. */
  readonly headroom: number;
  /** Of all VIPs together. */
  readonly traffic: number;
  /** Loads of VIPs that are given; their sum is `traffic`. Undefined: as many VIPs as it takes, of equal load. */
  readonly vipLoads: readonly number[] | undefined;
  /**
   * `even`: with all hosts up no link is used more than a tenth above the average use.
   * `any`: hosts may stand by.
   */
  readonly spread: "even" | "any";
}

export interface PlannedVip {
  readonly load: number;
  /** All hosts, the preferred owner first. */
  readonly order: readonly number[];
}

/** The largest use of a survivor's link over all failure sets of one size. */
export interface WorstCase {
  readonly failures: number;
  /** Share of the link, 1 is all of it. */
  readonly use: number;
  readonly load: number;
  readonly host: number;
  /** A failure set with which it comes about. */
  readonly failed: readonly number[];
}

/** RFC 9568 §5.2.3: a virtual router's number is 1..255 on a LAN. */
export const MOST_VIPS = 255;
/** A failure set is the bits of one integer. */
export const MOST_HOSTS = 30;
/** Above the average use with all hosts up, and still called even. */
export const EVEN_TOLERANCE = 0.1;

/** Loads are sums of fractions; what differs by less is the same. */
export const CLOSE = 1e-9;

/** Share of a link that may be used. */
export const limitOf = ({ headroom }: Pick<PlanProblem, "headroom">): number => 1 - headroom;

/** A link that is full to the last bit is degraded, whatever the head-room: queues have nowhere to drain. */
export const fits = (use: number, problem: Pick<PlanProblem, "headroom">): boolean =>
  use <= limitOf(problem) + CLOSE && use < 1 - CLOSE;

/** Why there cannot be an answer, in words; undefined for a problem that can be looked at. */
export function refusal({ links, failures, headroom, traffic, vipLoads }: PlanProblem): string | undefined {
  if (links.length < 1 || links.length > MOST_HOSTS) return `${links.length} hosts: 1 to ${MOST_HOSTS} can be planned`;
  if (links.some((link) => !(link > 0 && Number.isFinite(link)))) return "every link has a speed above 0";
  if (!Number.isInteger(failures) || failures < 0) return `${failures} failures: a whole number from 0`;
  if (failures >= links.length) {
    return `${failures} of ${links.length} hosts may fail: nobody is left to carry anything; at most ${links.length - 1}`;
  }
  if (!(headroom >= 0 && headroom < 1)) return "head-room is a share of the link from 0 % to less than 100 %";
  if (vipLoads !== undefined) {
    if (vipLoads.length < 1) return "no VIP has a load";
    if (vipLoads.length > MOST_VIPS) return tooManyVips(vipLoads.length);
    if (vipLoads.some((load) => !(load > 0 && Number.isFinite(load)))) return "every VIP has a load above 0";
  }
  if (!(traffic > 0 && Number.isFinite(traffic))) return "the traffic is more than 0";
  return undefined;
}

export const tooManyVips = (count: number): string =>
  `${count} VIPs: each is a virtual router with a number of its own, and a LAN has numbers from 1 to ${MOST_VIPS}`;
