/** Judges what the machine and its kernel offer, whichever side it is on (design.md, decision 10). Pure. */

import type { OtherPlaneState } from "../plane/leftovers.ts";
import type { Facts, MachineFacts } from "./facts.ts";
import { type Finding, missing, note, ok } from "./finding.ts";

export function judgeMachine({ machine, daemons, ipvs, plane, otherPlanes }: Facts): Finding[] {
  return [
    ok("kernel", `Linux ${machine.release}`),
    machine.missingCapabilities.length === 0
      ? ok("privileges", "all that layer 4 needs")
      : missing(
          "privileges",
          `this process has not ${machine.missingCapabilities.join(", ")}; what follows may be wrong for lack of them`,
          "run it as root",
        ),
    ...judgeBpf(machine),
    judgeIoUring(machine),
    judgeNftables(machine),
    judgeForwarding(machine, plane),
    ...daemons.map(({ name, pid }) =>
      note(
        name,
        `runs here beside evenkeel (pid ${pid}): two programs that move the same addresses or write the same tables undo each other`,
        `stop it, or let it keep addresses and services that evenkeel's files do not name`,
      ),
    ),
    ...judgeIpvs(ipvs, plane),
    ...judgeLeftovers(otherPlanes),
  ];
}

function judgeBpf({ bpf }: MachineFacts): Finding[] {
  if (typeof bpf === "string") {
    return [missing("BPF", `could not be tried: ${bpf}`, "run it as root; in a container it must be allowed")];
  }
  return bpf.map(({ name, present, needed, says }) => {
    const subject = name === "bpf" ? "BPF" : name;
    if (present) return ok(subject, says);
    return needed
      ? missing(
          subject,
          says,
          "a kernel of at least Linux 5.15 with BPF, and root; without it there is no layer 4 and no evenkeel real",
        )
      : note(subject, says);
  });
}

/** daemon/plane/mark-rules.ts: packets with a mark are routed by lo, so they are forwarded. */
function judgeForwarding({ ipForward }: MachineFacts, plane: Facts["plane"]): Finding {
  const subject = "ip_forward";
  const byMark = plane?.services.find(({ mark }) => mark?.family === 4);
  if (byMark === undefined) return ok(subject, `${ipForward ? "on" : "off"}; layer 4 does not need it, in any mode`);
  if (ipForward) return ok(subject, `on; ${byMark.name} needs it`);
  return missing(
    subject,
    `off: the kernel drops the packets of ${byMark.name}`,
    "sysctl net.ipv4.conf.INTERFACE.forwarding=1 where clients come in, or net.ipv4.ip_forward=1",
  );
}

function judgeIoUring({ ioUring }: MachineFacts): Finding {
  switch (ioUring) {
    case "allowed":
      return ok("io_uring", "allowed");
    case "restricted":
      return note(
        "io_uring",
        "refused to ordinary users (kernel.io_uring_disabled): the proxy works without it, slower",
      );
    case "absent":
      return note("io_uring", "not in this kernel: the proxy works without it, slower");
    default:
      return ioUring satisfies never;
  }
}

function judgeNftables({ nftables }: MachineFacts): Finding {
  if (nftables === "works") return ok("nftables", "works");
  if (nftables === "missing") {
    return note("nftables", "there is no nft command: REDIRECT rules of real servers cannot be seen from here");
  }
  return note("nftables", `refused: ${nftables.refused}`);
}

/** daemon/plane/leftovers.ts. */
function judgeLeftovers(planes: Facts["otherPlanes"]): Finding[] {
  const subject = "leftovers";
  const of = (wanted: OtherPlaneState) => planes.filter(({ state }) => state === wanted).map(({ cookie }) => cookie);
  const [gone, unknown] = [of("gone"), of("unknown")];
  const findings: Finding[] = [];
  if (gone.length > 0) {
    findings.push(
      note(
        subject,
        `data planes of network namespaces that are gone are still in memory: ${gone.join(", ")}`,
        "the next data plane that is made on this machine takes them away",
      ),
    );
  }
  if (unknown.length > 0) {
    findings.push(
      note(
        subject,
        `other network namespaces have a data plane, and it cannot be told whether they are still there: ${unknown.join(", ")}`,
        "if not, rm -r /run/evenkeel/bpf/NUMBER gives their memory back",
      ),
    );
  }
  return findings;
}

function judgeIpvs(ipvs: Facts["ipvs"], plane: Facts["plane"]): Finding[] {
  if (ipvs === undefined) return [ok("IPVS", "the kernel's own is not loaded, and not needed")];
  if (ipvs.length === 0) return [note("IPVS", "the kernel's own is loaded, without a service")];
  const ours = (plane?.services ?? []).map(({ address }) => address).filter((address) => address !== undefined);
  const both = ipvs.filter(({ address }) => address !== undefined && ours.includes(address));
  if (both.length === 0)
    return [note("IPVS", `the kernel's own has ${ipvs.length} services, for other addresses than ours`)];
  const names = both.map(({ address, port }) => `${address}:${port}`).join(", ");
  return [
    missing(
      "IPVS",
      `the kernel's own balances ${names} too: which of the two sees a packet depends on where it comes in`,
      "clear it (the kernel's ipvsadm -C) or remove the service here",
    ),
  ];
}
