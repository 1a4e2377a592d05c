/** Whether the adverts of two members of a virtual router reach each other, and are understood there. */

import { type Member, type PeerReport, titleOf } from "./peers-report.ts";

export function compareLinks(one: Member, other: Member, report: PeerReport): void {
  const [a, b] = [one.instance, other.instance];
  if (a.version === 3 && a.checksumWithoutPseudoHeader !== b.checksumWithoutPseudoHeader) {
    const message = `${titleOf(one)} and {other} differ in v3_checksum_as_v2: keepalived takes the other's adverts for damaged and both will be MASTER`;
    const help = "Write it on all routers, or on none; evenkeel receives both";
    report.say("warning", "keepalived/peers-checksum-style-differs", "v3_checksum_as_v2", [one, other], message, help);
  }
  const [unicastA, unicastB] = [a.unicastPeers !== undefined, b.unicastPeers !== undefined];
  if (unicastA !== unicastB) {
    const [multicast, unicast] = unicastA ? [other, one] : [one, other];
    const message = `${titleOf(multicast)} sends to the group ${multicast.instance.multicastGroup} and {other} to unicast peers: they may not hear each other and both be MASTER`;
    const help = "Write unicast_peer on all routers, or on none";
    report.say(
      "error",
      "keepalived/peers-unicast-multicast-mixed",
      "unicast_peer",
      [multicast, unicast],
      message,
      help,
    );
    return;
  }
  if (unicastA) {
    reportUnnamed(one, other, report);
    reportUnnamed(other, one, report);
  } else if (a.multicastGroup !== b.multicastGroup) {
    const message = `${titleOf(one)} sends to the group ${a.multicastGroup} and {other} to ${b.multicastGroup}: neither hears the other and both will be MASTER`;
    const help = "Write one vrrp_mcast_group4, vrrp_mcast_group6 or mcast_dst_ip on all routers";
    report.say("error", "keepalived/peers-group-differs", "mcast_dst_ip", [one, other], message, help);
  }
  if (a.sourceAddress !== undefined && a.sourceAddress === b.sourceAddress) {
    const message = `${titleOf(one)} and {other} both send from ${a.sourceAddress}`;
    report.say(
      "error",
      "keepalived/peers-same-source",
      "unicast_src_ip",
      [one, other],
      message,
      "Each host has its own address",
    );
  }
}

/** `from` has to send to where `to` is, as far as `to` says where that is. */
function reportUnnamed(from: Member, to: Member, report: PeerReport): void {
  const address = to.instance.sourceAddress;
  const peers = from.instance.unicastPeers ?? [];
  if (address === undefined || peers.some((peer) => peer.address === address)) return;
  const named = peers.map((peer) => peer.address).join(", ") || "nobody";
  const message = `${titleOf(from)} sends its adverts to ${named}, not to ${address} of {other}, which will not hear it`;
  report.say(
    "error",
    "keepalived/peers-not-named",
    "unicast_peer",
    [from, to],
    message,
    `Add ${address} to unicast_peer`,
  );
}
