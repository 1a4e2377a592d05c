/**
 * What the lines of one virtual_server come to together: services, defaults, inheritance, and what cannot work as written
 * (keepalived.conf(5); the rules and the words are those that keepalived 2.2.7 logs).
 */

import type { ServiceKey } from "../../director/plane.ts";
import type { SorryServer, VirtualServer } from "../model/virtual-server.ts";
import { type CheckSettings, inherited } from "./check-settings.ts";
import type { SslFiles } from "./checker-draft.ts";
import { NAT } from "./lvs-words.ts";
import type { AlertDefaults } from "./mail.ts";
import { completeQuorum } from "./quorum.ts";
import { completeRealServers } from "./real-server-rules.ts";
import { quote, type Report } from "./report.ts";
import { type Family, familyOf, type ServedService, servicesOf } from "./services.ts";
import type { VirtualServerDraft } from "./virtual-server.ts";
import type { ServerGroup } from "./virtual-server-group.ts";

export interface CompletionContext {
  readonly groups: ReadonlyMap<string, ServerGroup>;
  readonly ssl: SslFiles;
  /** Of all virtual servers: `checker_log_all_failures`. */
  readonly settings: CheckSettings;
  readonly alerts: AlertDefaults;
}

const DEFAULT_PERSISTENCE_SECONDS = 360;

/** Undefined when keepalived would ignore it, or it asks for what is not implemented; why is in the report. */
export function completeVirtualServer(
  draft: VirtualServerDraft,
  context: CompletionContext,
  report: Report,
): VirtualServer | undefined {
  const served = servicesOf(draft, context.groups, report);
  if (served === undefined) return undefined;
  const { name, services, protocol } = served;
  const scheduler = draft.scheduler ?? defaultScheduler(draft, name, report);
  if (draft.method === undefined) {
    const message = `Virtual server ${name}: no forwarding method set, setting default NAT`;
    report.warning("keepalived/no-method", draft.at, message, "Add lb_kind NAT, DR or TUN");
  }
  const settings = inherited(context.settings, draft.settings);
  const realServers = completeRealServers(draft, served, { ...context, settings }, report);
  if (realServers.length === 0) {
    const message = `Virtual server ${name} has no real servers - ignoring`;
    report.warning("keepalived/no-real-servers", draft.at, message, "Add real_server IP PORT { … }");
    return undefined;
  }
  const { quorum, hysteresis } = completeQuorum(draft, name, realServers, report);
  return {
    name,
    services,
    scheduler,
    flags: draft.flags,
    onePacket: draft.ops !== undefined && mayOnePacket(draft, name, protocol, report),
    persistence: persistenceOf(draft, name, services, report),
    netmaskBits: netmaskBitsOf(draft, served.family, report),
    onServerDown: draft.onServerDown,
    quorum,
    hysteresis,
    quorumUp: draft.quorumUp,
    quorumDown: draft.quorumDown,
    alpha: draft.settings.alpha ?? false,
    omega: draft.omega,
    haSuspend: draft.haSuspend,
    smtpAlert: draft.smtpAlert ?? context.alerts.virtualServer,
    sorryServer: sorryServerOf(draft, served, report),
    realServers,
  };
}

function defaultScheduler({ at }: VirtualServerDraft, name: string, report: Report): "wlc" {
  const message = `Virtual server ${name}: no scheduler set, setting default 'wlc'`;
  report.warning("keepalived/no-scheduler", at, message, "Add lb_algo");
  return "wlc";
}

function mayOnePacket({ ops, at }: VirtualServerDraft, name: string, protocol: string, report: Report): boolean {
  if (protocol === "udp" || protocol === "none") return true;
  const message = `Virtual server ${name}: one packet scheduling requires UDP - resetting`;
  report.warning("keepalived/ops-without-udp", ops ?? at, message, "Remove ops");
  return false;
}

/** Port 0 stands for all ports, which only a persistent service can have. */
function persistenceOf(draft: VirtualServerDraft, name: string, services: readonly ServiceKey[], report: Report) {
  const allPorts = services.some((service) => service.kind === "address" && service.port === 0);
  if (draft.persistence !== undefined || !allPorts) return draft.persistence;
  const message = `Virtual server ${name}: zero port only valid for persistent services - setting`;
  report.warning("keepalived/all-ports", draft.at, message, "Give a port, or persistence_timeout");
  return DEFAULT_PERSISTENCE_SECONDS;
}

function netmaskBitsOf({ granularity }: VirtualServerDraft, family: Family, report: Report): number {
  const longest = family === 4 ? 32 : 128;
  if (granularity === undefined) return longest;
  const bits = family === 6 ? prefixLength(granularity.text, 128) : maskBits(granularity.text);
  if (bits !== undefined) return bits;
  const message = `persistence_granularity ${quote(granularity.text)} is no netmask - ignoring`;
  const help = family === 6 ? "Write a prefix length from 1 to 128" : "Write a netmask such as 255.255.255.0";
  report.warning("keepalived/bad-netmask", granularity, message, help);
  return longest;
}

const prefixLength = (text: string, longest: number): number | undefined =>
  /^[1-9][0-9]{0,2}$/.test(text) && Number(text) <= longest ? Number(text) : undefined;

/** Of a dotted IPv4 netmask whose ones come first. */
function maskBits(text: string): number | undefined {
  if (!/^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(text)) return undefined;
  const binary = text
    .split(".")
    .map((byte) => Number(byte).toString(2).padStart(8, "0"))
    .join("");
  const [, ones] = /^(1+)0*$/.exec(binary) ?? [];
  return binary.length === 32 ? ones?.length : undefined;
}

function sorryServerOf(draft: VirtualServerDraft, served: ServedService, report: Report): SorryServer | undefined {
  const { sorry } = draft;
  if (sorry === undefined) return undefined;
  const { method, tunnel } = sorry.method ?? NAT;
  const { at, address } = sorry;
  if (method !== "tun" && familyOf(address) !== served.family) {
    const message = `Address family of virtual server and sorry server ${address} don't match - skipping sorry server`;
    report.warning("keepalived/mixed-families", at, message, "Only TUN goes from one family to the other");
    return undefined;
  }
  const wanted = sorry.port ?? served.port;
  if (method !== "nat" && sorry.port !== undefined && sorry.port !== served.port) {
    const message = `virtual server ${served.name} and sorry server ports don't match - resetting`;
    report.warning("keepalived/port-reset", at, message, `Write ${address} ${served.port}, or lb_kind NAT`);
  }
  const port = method === "nat" ? wanted : served.port;
  return {
    key: { address, port },
    settings: { method, weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel, draining: false },
    inhibit: sorry.inhibit,
  };
}
