/**
 * Brings packets with a firewall mark before our programs: they are marked after the hook on their way in, so a routing rule
 * sends them out by lo, where they come in a second time, with their mark.
 *
 * A VIP is an address of this machine and the table of those comes first, so that rule is moved behind ours while there are
 * services by mark, and back at the end. IPv4: the kernel takes no IPv6 route by lo (net/ipv6/route.c). What is there is
 * remembered as folders beside the links.
 */

import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { forwardsIpv4 } from "../../sys/forwarding.ts";
import { Netlink } from "../../sys/netlink.ts";
import { addRouteToLoopback, addRule, removeRouteToLoopback, removeRule } from "../../sys/policy-rules.ts";
import { RT_TABLE_LOCAL, RTPROT_KERNEL } from "../../wire/netlink-rule.ts";
import { namesIn, type Pins } from "./place.ts";

const IPV4 = 2;
/** "EK". */
const TABLE = 0x454b;
const OURS = 1;
const LOCAL_AFTER_OURS = { family: IPV4, priority: 2, table: RT_TABLE_LOCAL };
/** As the kernel makes it. */
const LOCAL_FIRST = { family: IPV4, priority: 0, table: RT_TABLE_LOCAL, protocol: RTPROT_KERNEL };

export class MarkRules {
  readonly #folder: string;
  readonly #folderOf6: string;
  readonly #say: (text: string) => void;

  constructor(pins: Pins, say: (text: string) => void) {
    this.#folder = join(pins.root, "marks");
    this.#folderOf6 = join(pins.root, "marks6");
    this.#say = say;
  }

  /** Makes rules for exactly these. */
  require(marks: readonly { readonly mark: number; readonly family: 4 | 6 }[]): void {
    this.#requireOf6(marks.filter(({ family }) => family === 6).map(({ mark }) => String(mark)));
    const wanted = new Set(marks.filter(({ family }) => family === 4).map(({ mark }) => mark));
    const present = new Set(namesIn(this.#folder).map(Number));
    const added = [...wanted].filter((mark) => !present.has(mark));
    const removed = [...present].filter((mark) => !wanted.has(mark));
    if (added.length === 0 && removed.length === 0) return;
    const netlink = new Netlink();
    try {
      if (present.size === 0) this.#begin(netlink);
      for (const mark of added) {
        mkdirSync(join(this.#folder, String(mark)));
        addRule(netlink, rule(mark));
      }
      for (const mark of removed) {
        removeRule(netlink, rule(mark));
        rmdirSync(join(this.#folder, String(mark)));
      }
      if (wanted.size === 0) this.#end(netlink);
    } finally {
      netlink.close();
    }
  }

  #begin(netlink: Netlink): void {
    if (!existsSync(this.#folder)) mkdirSync(this.#folder);
    addRouteToLoopback(netlink, TABLE);
    addRule(netlink, LOCAL_AFTER_OURS);
    removeRule(netlink, { ...LOCAL_FIRST, protocol: undefined });
    if (!forwardsIpv4()) {
      this.#say(
        "services by firewall mark need net.ipv4.conf.INTERFACE.forwarding=1 where clients come in " +
          "(or net.ipv4.ip_forward=1), or the kernel drops what is marked",
      );
    }
  }

  /** Remembered only so that it is said once. */
  #requireOf6(wanted: readonly string[]): void {
    const present = namesIn(this.#folderOf6);
    const added = wanted.filter((mark) => !present.includes(mark));
    if (added.length > 0) {
      this.#say(
        "packets with an IPv6 firewall mark reach their service only if a tcx program that comes first marks them: " +
          "the kernel has no way to bring in a second time what nftables marks",
      );
    }
    for (const mark of added) mkdirSync(join(this.#folderOf6, mark), { recursive: true });
    for (const mark of present) if (!wanted.includes(mark)) rmdirSync(join(this.#folderOf6, mark));
    if (wanted.length === 0 && existsSync(this.#folderOf6)) rmdirSync(this.#folderOf6);
  }

  #end(netlink: Netlink): void {
    addRule(netlink, LOCAL_FIRST);
    removeRule(netlink, LOCAL_AFTER_OURS);
    removeRouteToLoopback(netlink, TABLE);
    rmdirSync(this.#folder);
  }
}

const rule = (mark: number) => ({ family: IPV4, priority: OURS, table: TABLE, mark });
