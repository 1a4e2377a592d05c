/** Which services a `virtual_server` stands for, and how log lines call it (keepalived.conf(5), "Virtual server(s)"). */

import { type IpAddress, isIpv4 } from "../../base/ip.ts";
import type { ServiceKey } from "../../director/plane.ts";
import { serviceName } from "./lvs-words.ts";
import { quote, type Report } from "./report.ts";
import type { VirtualServerDraft } from "./virtual-server.ts";
import type { ServerGroup } from "./virtual-server-group.ts";

export type Family = 4 | 6 | "both";

export interface ServedService {
  readonly name: string;
  readonly services: readonly ServiceKey[];
  /** As names of servers have it; `none` for a service by firewall mark. */
  readonly protocol: "tcp" | "udp" | "none";
  readonly family: Family;
  /** 0: several, all, or those of the marked packets. */
  readonly port: number;
}

export const familyOf = (address: IpAddress): 4 | 6 => (isIpv4(address) ? 4 : 6);

/** Undefined when there is nothing to serve. */
export function servicesOf(
  draft: VirtualServerDraft,
  groups: ReadonlyMap<string, ServerGroup>,
  report: Report,
): ServedService | undefined {
  const { head } = draft;
  switch (head.kind) {
    case "address": {
      const { address, port = 0 } = head;
      const protocol = protocolOf(draft, (text) => serviceName(address, text, port), report);
      if (protocol === undefined) return undefined;
      const family = familyOf(address);
      checkFamily(draft, family, report);
      const name = serviceName(address, protocol, port);
      return { name, services: [{ kind: "address", protocol, address, port }], protocol, family, port };
    }
    case "mark": {
      const name = `FWM ${head.mark}`;
      warnOfProtocol(draft, name, report);
      const family = chosenFamily(draft);
      return { name, services: [{ kind: "mark", mark: head.mark, family }], protocol: "none", family, port: 0 };
    }
    case "group":
      return servicesOfGroup(draft, head.name, groups.get(head.name), report);
    default:
      return head satisfies never;
  }
}

function servicesOfGroup(
  draft: VirtualServerDraft,
  wanted: string,
  group: ServerGroup | undefined,
  report: Report,
): ServedService | undefined {
  const name = `[${wanted}]:0`;
  if (group === undefined) {
    const message = `Virtual server group ${quote(wanted)} specified but not configured - ignoring virtual server ${name}`;
    const help = `Define it: virtual_server_group ${wanted} { … }`;
    report.warning("keepalived/unknown-group", draft.at, message, help);
    return undefined;
  }
  const hasAddresses = group.members.some(({ kind }) => kind === "address");
  if (!hasAddresses) warnOfProtocol(draft, name, report);
  const protocol = hasAddresses ? protocolOf(draft, () => name, report) : "none";
  if (protocol === undefined) return undefined;
  const [only] = group.families;
  const family = group.families.size > 1 ? "both" : (only ?? chosenFamily(draft));
  const services = group.members.map((member): ServiceKey => {
    if (member.kind === "mark") return { ...member, family: member.family ?? (family === "both" ? 4 : family) };
    return { ...member, protocol: protocol === "none" ? "udp" : protocol };
  });
  return { name, services, protocol, family, port: 0 };
}

/** Of a service by firewall mark: what `ip_family` says, else that of its first server. */
function chosenFamily({ family, sorry, realServers }: VirtualServerDraft): 4 | 6 {
  const first = realServers[0]?.address ?? sorry?.address;
  return family?.value ?? (first === undefined ? 4 : familyOf(first));
}

function checkFamily({ family }: VirtualServerDraft, actual: 4 | 6, report: Report): void {
  if (family === undefined || family.value === actual) return;
  const message = `Virtual server specified family ${quote(family.at.text)} conflicts with server family`;
  report.warning("keepalived/mixed-families", family.at, message, "Remove the line: the address says it");
}

function warnOfProtocol({ protocol }: VirtualServerDraft, name: string, report: Report): void {
  if (protocol === undefined) return;
  const message = `Virtual server ${name}: protocol specified for fwmark - protocol will be ignored`;
  report.warning("keepalived/protocol-of-mark", protocol.at, message, "Remove the line");
}

/** `nameOf`: with the protocol as keepalived writes it. */
function protocolOf(
  { protocol, at }: VirtualServerDraft,
  nameOf: (protocol: string) => string,
  report: Report,
): "tcp" | "udp" | undefined {
  if (protocol === undefined) {
    const message = `Virtual server ${nameOf("none")}: no protocol set - defaulting to UDP`;
    report.warning("keepalived/no-protocol", at, message, "Add protocol TCP, or protocol UDP if it is meant");
    return "udp";
  }
  if (protocol.value !== "sctp") return protocol.value;
  const help = "The virtual server would not answer: write TCP or UDP, or remove it";
  report.error("keepalived/sctp", protocol.at, "protocol SCTP is not implemented yet", help);
  return undefined;
}
