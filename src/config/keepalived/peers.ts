/**
 * Compares the keepalived.conf files of the routers of one LAN: pairs their instances and says everything that would go
 * wrong between them, before anything runs. `vrrp/neighbourhood/` finds the same on the wire; the codes end alike.
 *
 * What a file alone says of itself is said elsewhere. Which host has which address is known only where the file has it.
 */

import type { VrrpInstance } from "../model/vrrp.ts";
import type { Diagnostics } from "../text/diagnostic.ts";
import type { Source } from "../text/source.ts";
import { compareGroups } from "./peers-groups.ts";
import { compareLinks } from "./peers-links.ts";
import { compareOrder } from "./peers-order.ts";
import { type Member, PeerReport, type Router, type Team, titleOf } from "./peers-report.ts";

/** What is said when there are not two routers to compare. */
export function reportNothingToCompare(at: Source, diagnostics: Diagnostics): void {
  const message = "--peers compares two or more keepalived.conf files with instances, each of another router";
  const span = { source: at, start: 0, end: 0 };
  diagnostics.error("keepalived/peers-missing", span, message, "Name the files of all routers");
}

/** Adds to `diagnostics`. Every router needs its `places`; fewer than two give nothing to compare. */
export function comparePeers(routers: readonly Router[], diagnostics: Diagnostics): void {
  if (routers.length < 2) return;
  const report = new PeerReport(diagnostics);
  const teams = teamsOf(routers);
  for (const team of teams) {
    const [first, ...others] = team;
    if (first === undefined) continue;
    if (others.length === 0) reportLonely(first, routers, report);
    for (const [index, one] of team.entries())
      for (const other of team.slice(index + 1)) comparePair(one, other, report);
    compareOrder(team, report);
  }
  reportForeignUse(teams, report);
  compareGroups(teams, routers, report);
}

const keyOf = ({ instance }: Member): string => `${instance.family} ${instance.virtualRouterId}`;
const addressesOf = ({ instance }: Member): readonly string[] =>
  instance.virtualAddresses.map(({ address }) => address);

/** Each instance is in one team. A team has at most one instance of each router. */
function teamsOf(routers: readonly Router[]): Team[] {
  const teams: Member[][] = [];
  for (const router of routers) {
    const members = router.model.instances.map((instance): Member => ({ router, instance }));
    const free = () => teams.filter((team) => team.every((one) => one.router !== router));
    const left = new Set(members);
    const join = (fits: (member: Member, team: Team) => boolean) => {
      for (const member of left) {
        const team = free().find((one) => fits(member, one));
        if (team === undefined) continue;
        team.push(member);
        left.delete(member);
      }
    };
    const sameKey = (member: Member, team: Team) => team.some((one) => keyOf(one) === keyOf(member));
    const shares = (member: Member, team: Team) =>
      team.some((one) => addressesOf(one).some((address) => addressesOf(member).includes(address)));
    const sameName = (member: Member, team: Team) =>
      team.some((one) => one.instance.name === member.instance.name && one.instance.family === member.instance.family);
    join((member, team) => sameKey(member, team) && shares(member, team));
    join(shares);
    join((member, team) => sameKey(member, team) && sameName(member, team));
    join((member, team) => sameKey(member, team) && bothOpen(member, team));
    join((member, team) => sameName(member, team) && !sameKey(member, team) && bothOpen(member, team));
    for (const member of left) teams.push([member]);
  }
  return teams;
}

/** Without addresses to go by, the number or the name has to do; with others, they are strangers. */
const bothOpen = (member: Member, team: Team): boolean =>
  addressesOf(member).length === 0 ||
  team.some((one) => addressesOf(one).length === 0 || one.instance.name === member.instance.name);

function reportLonely(one: Member, routers: readonly Router[], report: PeerReport): void {
  const files = routers.filter((router) => router !== one.router).map(({ file }) => file);
  const held = addressesOf(one).slice(0, 3).join(", ");
  const message = `${titleOf(one)} has nobody to take over: ${files.join(" and ")} ${files.length === 1 ? "has" : "have"} no instance with VRID ${one.instance.virtualRouterId}${held === "" ? "" : ` or with ${held}`}`;
  report.say("warning", "keepalived/peers-alone", "", [one], message, "Add the instance to the other routers");
}

function comparePair(one: Member, other: Member, report: PeerReport): void {
  const [a, b] = [one.instance, other.instance];
  if (a.virtualRouterId !== b.virtualRouterId) {
    const shared = addressesOf(one).find((address) => addressesOf(other).includes(address));
    const subject = shared === undefined ? "have one name" : `share ${shared}`;
    const message = `${titleOf(one)} and {other} ${subject} but have VRID ${a.virtualRouterId} and ${b.virtualRouterId}: both will be MASTER`;
    report.say(
      "error",
      "keepalived/peers-vrid-differs",
      "virtual_router_id",
      [one, other],
      message,
      "Give them one virtual_router_id",
    );
    return;
  }
  if (a.version !== b.version) {
    const message = `${titleOf(one)} speaks version ${a.version} and {other} version ${b.version}: each drops the other's adverts and both will be MASTER`;
    report.say(
      "error",
      "keepalived/peers-version-differs",
      "version",
      [one, other],
      message,
      "Write one version on all routers",
    );
    return;
  }
  compareAuthentication(one, other, report);
  compareIntervals(one, other, report);
  compareAddresses(one, other, report);
  compareLinks(one, other, report);
}

function compareAuthentication(one: Member, other: Member, report: PeerReport): void {
  const [a, b] = [one.instance.authPass, other.instance.authPass];
  if (a === b) return;
  if (a === undefined || b === undefined) {
    const [without, having] = a === undefined ? [one, other] : [other, one];
    const message = `${titleOf(without)} has no password and {other} has one: each drops the other's adverts and both will be MASTER`;
    const help = "Write the same authentication on all routers, or none";
    report.say("error", "keepalived/peers-auth-type-differs", "authentication", [without, having], message, help);
    return;
  }
  const message = `${titleOf(one)} has another password than {other}: each drops the other's adverts and both will be MASTER`;
  const help = "Write one auth_pass of at most 8 characters on all routers";
  report.say("error", "keepalived/peers-password-differs", "authentication", [one, other], message, help);
}

function compareIntervals(one: Member, other: Member, report: PeerReport): void {
  const [a, b] = [one.instance, other.instance];
  if (a.advertInterval === b.advertInterval) return;
  const inWords = (instance: VrrpInstance) => `${instance.advertInterval / 1_000_000} s`;
  if (a.version === 2) {
    const message = `${titleOf(one)} sends adverts every ${inWords(a)} and {other} every ${inWords(b)}: in version 2 each drops the other's and both will be MASTER`;
    report.say(
      "error",
      "keepalived/peers-interval-differs",
      "advert_int",
      [one, other],
      message,
      "Write one advert_int on all routers",
    );
    return;
  }
  const message = `${titleOf(one)} sends adverts every ${inWords(a)} and {other} every ${inWords(b)}: the time until a failure is noticed depends on who is MASTER`;
  report.say(
    "note",
    "keepalived/peers-interval-learned",
    "advert_int",
    [one, other],
    message,
    "Write one advert_int on all routers",
  );
}

function compareAddresses(one: Member, other: Member, report: PeerReport): void {
  const [a, b] = [new Set(addressesOf(one)), new Set(addressesOf(other))];
  const [only, missing] = [[...a].filter((address) => !b.has(address)), [...b].filter((address) => !a.has(address))];
  if (only.length === 0 && missing.length === 0) return;
  const list = (addresses: readonly string[]) =>
    addresses.length > 3
      ? `${addresses.slice(0, 3).join(", ")} and ${addresses.length - 3} more`
      : addresses.join(", ");
  const parts = [
    ...(only.length === 0 ? [] : [`only ${titleOf(one)} has ${list(only)}`]),
    ...(missing.length === 0 ? [] : [`${only.length === 0 ? "only " : ""}{other} has ${list(missing)}`]),
  ];
  const place = only.length === 0 || missing.length > 0 ? "" : " ({other})";
  const message = `Virtual addresses differ: ${parts.join(", ")}${place}; keepalived up to 2.3.2 drops the adverts and both will be MASTER`;
  const help = "Write one list on all routers, and change it on the BACKUP first";
  report.say("warning", "keepalived/peers-address-list-differs", "virtual_ipaddress", [one, other], message, help);
}

/** A number that two teams of different routers use: their adverts meet on the LAN. */
function reportForeignUse(teams: readonly Team[], report: PeerReport): void {
  const users = new Map<string, Member>();
  for (const team of teams) {
    for (const member of team) {
      const { unicastPeers, multicastGroup } = member.instance;
      if (unicastPeers !== undefined) continue;
      const key = `${keyOf(member)} ${multicastGroup}`;
      const before = users.get(key);
      if (before === undefined) users.set(key, member);
      else if (before.router !== member.router && !team.includes(before)) {
        const message = `${titleOf(member)} and {other} are different virtual routers with one VRID ${member.instance.virtualRouterId}: on one LAN each drops the other's adverts`;
        const help = "Give each its own virtual_router_id; where they are on different LANs all is well";
        report.say("warning", "keepalived/peers-duplicate-vrid", "virtual_router_id", [member, before], message, help);
      }
    }
  }
}
