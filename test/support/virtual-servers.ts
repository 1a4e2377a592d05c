/** Virtual servers for tests, as the configuration would give them. */

import type { IpAddress } from "../../src/base/ip.ts";
import { seconds } from "../../src/base/time.ts";
import type {
  Checker,
  CheckSchedule,
  DirectorConfiguration,
  RealServer,
  VirtualServer,
} from "../../src/config/model/virtual-server.ts";
import type { ServerSettings } from "../../src/director/plane.ts";

export const address = (text: string): IpAddress => text as IpAddress;

export const SETTINGS: ServerSettings = {
  method: "nat",
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
  tunnel: { type: "ipip", port: 0, checksum: "none" },
  draining: false,
};

export const SCHEDULE: CheckSchedule = {
  delayLoop: seconds(3),
  retry: 1,
  delayBeforeRetry: seconds(1),
  warmup: seconds(1),
  alpha: false,
  logAllFailures: false,
};

export const connection = (ip: string, port = 80) => ({
  address: address(ip),
  port,
  source: undefined,
  sourcePort: undefined,
  interface: undefined,
  mark: undefined,
  timeout: seconds(2),
  path: "direct" as const,
});

export const tcpCheck = (ip: string, changed: Partial<CheckSchedule> = {}, port = 80): Checker => ({
  ...SCHEDULE,
  ...changed,
  type: "TCP_CHECK",
  connection: connection(ip, port),
});

export const script = (...argv: string[]) => ({ argv, user: undefined });

export function realServer(ip: string, changed: Partial<RealServer> = {}): RealServer {
  return {
    key: { address: address(ip), port: 80 },
    settings: SETTINGS,
    inhibitOnFailure: false,
    notifyUp: undefined,
    notifyDown: undefined,
    smtpAlert: true,
    checkers: [tcpCheck(ip)],
    ...changed,
  };
}

export function virtualServer(realServers: readonly RealServer[], changed: Partial<VirtualServer> = {}): VirtualServer {
  return {
    name: "[10.0.0.1]:tcp:80",
    services: [{ kind: "address", protocol: "tcp", address: address("10.0.0.1"), port: 80 }],
    scheduler: "rr",
    flags: { fallback: false, port: false, flag3: false },
    onePacket: false,
    persistence: undefined,
    netmaskBits: 32,
    onServerDown: "reset",
    quorum: 1,
    hysteresis: 0,
    quorumUp: undefined,
    quorumDown: undefined,
    alpha: false,
    omega: false,
    haSuspend: false,
    smtpAlert: false,
    sorryServer: undefined,
    realServers,
    ...changed,
  };
}

export const directorConfiguration = (
  virtualServers: readonly VirtualServer[],
  changed: Partial<DirectorConfiguration["global"]> = {},
): DirectorConfiguration => ({
  global: {
    routerId: undefined,
    timeouts: { tcp: 0, tcpFin: 0, udp: 0 },
    flush: false,
    flushOnStop: "no",
    connectionTableSize: undefined,
    fifos: [],
    enableScriptSecurity: false,
    scriptUser: undefined,
    rsInitNotifies: false,
    mail: undefined,
    mailEveryCheck: true,
    ...changed,
  },
  virtualServers,
  trackFiles: [],
});
