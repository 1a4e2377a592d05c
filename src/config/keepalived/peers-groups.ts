/** Whether the instances that move together on one router do so on the others. */

import { type Member, type PeerReport, positionOf, type Router, type Team, titleOf } from "./peers-report.ts";

export function compareGroups(teams: readonly Team[], routers: readonly Router[], report: PeerReport): void {
  const teamOf = new Map(
    teams.flatMap((team) => team.map((member) => [`${member.router.file} ${member.instance.name}`, team])),
  );
  for (const router of routers) {
    for (const group of router.model.syncGroups) {
      const own = group.members
        .map((name) => teamOf.get(`${router.file} ${name}`))
        .filter((team) => team !== undefined);
      const place = router.places.get(`vrrp_sync_group ${group.name}`);
      if (place === undefined) continue;
      for (const other of routers) {
        if (other === router) continue;
        const members = own.map((team) => team.find((one) => one.router === other)).filter((one) => one !== undefined);
        const [first] = members;
        if (first === undefined || members.length < 2) continue;
        const holders = new Set(members.map((member) => groupOf(member)?.name));
        const [only] = holders;
        const theirs = groupOf(first);
        if (holders.size === 1 && only !== undefined && theirs?.members.length === group.members.length) continue;
        const names = members.map(({ instance }) => instance.name).join(" and ");
        const at = other.places.get(`vrrp_sync_group ${theirs?.name ?? ""}`);
        const where = at === undefined ? titleOf(first) : positionOf(at.name);
        const problem =
          holders.size === 1 && only !== undefined
            ? `moves more or less with them there (${where})`
            : `are not in one group there (${where})`;
        const message = `Sync group '${group.name}' of ${router.file} differs from ${other.file}: ${names} ${problem}`;
        const help = "Write the same groups on all routers: else a failure splits what belongs together";
        report.at("warning", "keepalived/peers-group-members-differ", place.name, message, help);
      }
    }
  }
}

const groupOf = ({ router, instance }: Member) =>
  router.model.syncGroups.find(({ members }) => members.includes(instance.name));
