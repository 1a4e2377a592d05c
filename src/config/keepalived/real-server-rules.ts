/** What the lines of a real_server come to with those of its virtual server (keepalived.conf(5), "Virtual server(s)"). */

import type { RealServer } from "../model/virtual-server.ts";
import { type CheckSettings, inherited } from "./check-settings.ts";
import type { SslFiles } from "./checker-draft.ts";
import { NAT, serviceName } from "./lvs-words.ts";
import type { AlertDefaults } from "./mail.ts";
import type { RealServerDraft } from "./real-server.ts";
import { quote, type Report } from "./report.ts";
import { familyOf, type ServedService } from "./services.ts";
import type { VirtualServerDraft } from "./virtual-server.ts";

interface Handed {
  readonly ssl: SslFiles;
  readonly settings: CheckSettings;
  readonly alerts: AlertDefaults;
}

const DEFAULT_WEIGHT = 1;

/** In file order, each once, without those that could not be reached. */
export function completeRealServers(
  draft: VirtualServerDraft,
  served: ServedService,
  handed: Handed,
  report: Report,
): RealServer[] {
  const servers = new Map<string, RealServer>();
  for (const one of draft.realServers) {
    if (!isReachable(one, served, report)) continue;
    warnOfLateMethod(one, draft, report);
    const server = completeRealServer(one, draft, served, handed, report);
    const name = serviceName(server.key.address, served.protocol, server.key.port);
    if (!servers.has(name)) servers.set(name, server);
    else {
      const message = `VS ${served.name}: real server ${name} is duplicated - removing second rs`;
      report.warning("keepalived/duplicate-server", one.at, message, "Name it once");
    }
  }
  return [...servers.values()];
}

function isReachable(server: RealServerDraft, served: ServedService, report: Report): boolean {
  if (server.method?.method === "tun" || familyOf(server.address) === served.family) return true;
  const message = `Address family of virtual server and real server ${server.address} don't match - skipping real server`;
  report.warning("keepalived/mixed-families", server.at, message, "Only TUN goes from one family to the other");
  return false;
}

/** keepalived gives a real server the method that holds at its line. */
function warnOfLateMethod(server: RealServerDraft, draft: VirtualServerDraft, report: Report): void {
  const own = server.method?.method ?? "nat";
  const final = draft.method?.method ?? "nat";
  if (server.ownMethod || own === final) return;
  const message = `lb_kind ${final.toUpperCase()} comes too late for real server ${server.address}: it is ${own.toUpperCase()}`;
  report.warning("keepalived/method-below", server.at, message, "Move lb_kind above the real servers");
}

function completeRealServer(
  draft: RealServerDraft,
  virtual: VirtualServerDraft,
  served: ServedService,
  { ssl, settings, alerts }: Handed,
  report: Report,
): RealServer {
  const { method, tunnel } = draft.method ?? NAT;
  const { address } = draft;
  const port = method === "nat" ? (draft.port ?? served.port) : served.port;
  if (method !== "nat" && draft.port !== undefined) checkPort(draft, draft.port, served, report);
  const server = { address, port: draft.port ?? served.port };
  const context = { settings: inherited(settings, draft.settings), server, ssl };
  const checkers = draft.checkers.map((checker) => checker(context)).filter((checker) => checker !== undefined);
  if (checkers.some((checker) => "connection" in checker && checker.connection.path === "data_plane"))
    checkPath(draft, served, report);
  return {
    key: { address, port },
    settings: {
      method,
      weight: draft.weight ?? virtual.weight ?? DEFAULT_WEIGHT,
      upperThreshold: draft.upperThreshold,
      lowerThreshold: draft.lowerThreshold,
      tunnel,
      draining: false,
    },
    inhibitOnFailure: draft.inhibitOnFailure ?? virtual.inhibitOnFailure,
    notifyUp: draft.notifyUp,
    notifyDown: draft.notifyDown,
    smtpAlert: draft.smtpAlert ?? alerts.realServer,
    checkers,
  };
}

/** Where `check_path data_plane` has no other path to look at, and where it cannot (daemon/director/probes/data-path.ts). */
function checkPath({ at, address, method: own }: RealServerDraft, { services }: ServedService, report: Report): void {
  const { method, tunnel } = own ?? NAT;
  const service = services.find((one) => one.kind === "address");
  if (method === "nat") {
    const message = `check_path data_plane: with NAT the check of ${address} goes the way of the traffic anyway`;
    report.note("keepalived/no-effect", at, message);
    return;
  }
  const cause =
    service === undefined
      ? "a service by firewall mark has no address to ask for"
      : service.protocol === "udp"
        ? "UDP is not looked at"
        : tunnel.type !== "ipip"
          ? `tunnels of type ${tunnel.type} are not looked at`
          : familyOf(service.address) !== familyOf(address)
            ? "tunnels between IPv4 and IPv6 are not looked at"
            : service.port === 0
              ? "a service of all ports has none to ask for"
              : undefined;
  if (cause === undefined) return;
  const message = `check_path data_plane: ${cause}: ${address} itself is checked`;
  report.warning("keepalived/not-implemented", at, message, "Write check_path direct to be told no more");
}

/** DR and TUN send packets on as they are: their port is the service's. */
function checkPort({ at, address }: RealServerDraft, port: number, served: ServedService, report: Report): void {
  const [first] = served.services;
  const name = serviceName(address, served.protocol, port);
  if (served.services.length === 1 && first?.kind === "mark") {
    const message = `fwmark virtual server ${served.name}, real server ${name} has port specified - clearing`;
    report.warning("keepalived/port-reset", at, message, `Write real_server ${address}`);
    return;
  }
  const other = served.services.find((service) => service.kind === "address" && service.port !== port);
  if (other === undefined || other.kind === "mark") return;
  const message = `virtual server ${served.name} and real server ${name} ports don't match - resetting`;
  report.warning("keepalived/port-reset", at, message, `Write port ${quote(String(other.port))}, or lb_kind NAT`);
}
