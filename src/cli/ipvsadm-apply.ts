/** Carries out what one command line of ipvsadm changes, and says no in ipvsadm's words (libipvs, ipvs_strerror). */

import type { Change, NamedService, ServiceWords } from "../config/ipvsadm/command.ts";
import {
  type Plane,
  PlaneError,
  type PlaneErrorCode,
  type SchedulerName,
  type ServiceKey,
  type ServiceSettings,
} from "../director/plane.ts";
import { SCHEDULERS } from "../director/rules.ts";

/** Why not. `detail` is what the data plane adds, for people. */
export interface Refusal {
  readonly text: string;
  readonly detail: string | undefined;
}

export const NO_SUCH_SERVICE = "No such service";
const NO_SCHEDULER = "Scheduler or persistence engine not found";

/** What a code means does not hang on the command. */
const ANYWHERE: Readonly<Record<PlaneErrorCode, string>> = {
  EEXIST: "File exists",
  ESRCH: NO_SUCH_SERVICE,
  ENOENT: NO_SCHEDULER,
  EINVAL: "Invalid operation.  Possibly wrong module version, address not unicast, ...",
  ERANGE: "Numerical result out of range",
  ENOMEM: "Memory allocation problem",
};
/** Of the commands that name a real server. */
const OF_SERVERS: Partial<Record<PlaneErrorCode, string>> = {
  EEXIST: "Destination already exists",
  ESRCH: "Service not defined",
  ENOENT: "No such destination",
};
const OF_SERVICES: Partial<Record<PlaneErrorCode, string>> = { EEXIST: "Service already exists" };

const isScheduler = (name: string): name is SchedulerName => (SCHEDULERS as readonly string[]).includes(name);

/** undefined: done. */
export function applyChange(plane: Plane, change: Change): Refusal | undefined {
  const words = change.do.endsWith("-server") ? OF_SERVERS : OF_SERVICES;
  try {
    const text = attempt(plane, change);
    return text === undefined ? undefined : { text, detail: undefined };
  } catch (error) {
    if (!(error instanceof PlaneError)) throw error;
    const known = words[error.code];
    return { text: known ?? ANYWHERE[error.code], detail: known === undefined ? error.message : undefined };
  }
}

function attempt(plane: Plane, change: Change): string | undefined {
  switch (change.do) {
    case "add-service":
    case "edit-service":
      return putService(plane, change.do === "add-service", change.service, change.words);
    case "delete-service":
      return withKey(change.service, NO_SUCH_SERVICE, (key) => plane.deleteService(key));
    case "add-server":
      return withKey(change.service, OF_SERVERS.ESRCH, (key) => plane.addServer(key, change.server, change.settings));
    case "edit-server":
      return withKey(change.service, OF_SERVERS.ESRCH, (key) => plane.editServer(key, change.server, change.settings));
    case "delete-server":
      return withKey(change.service, OF_SERVERS.ESRCH, (key) => plane.deleteServer(key, change.server));
    case "flush":
      return void plane.flush();
    case "zero":
      if (change.service === undefined) return void plane.zero();
      return withKey(change.service, NO_SUCH_SERVICE, (key) => plane.zero(key));
    case "set":
      return void plane.setTimeouts(change.timeouts);
    case "start-daemon":
      return "Operation not supported: evenkeel has no sync daemon, connections stay with the balancer that made them";
    case "stop-daemon":
      return "No daemon is running";
    default:
      return change satisfies never;
  }
}

/** There is no service of SCTP, so it is refused as one that is missing. */
function withKey(
  service: NamedService,
  missing: string | undefined,
  work: (key: ServiceKey) => void,
): string | undefined {
  if (service.kind === "sctp") return missing;
  work(service);
  return undefined;
}

function putService(plane: Plane, add: boolean, service: NamedService, words: ServiceWords): string | undefined {
  if (service.kind === "sctp") return add ? "Protocol not supported" : NO_SUCH_SERVICE;
  const before = plane.service(service)?.settings;
  if (add && before !== undefined) return OF_SERVICES.EEXIST;
  if (!add && before === undefined) return NO_SUCH_SERVICE;
  const settings = settingsOf(words, before);
  if (settings === undefined) return NO_SCHEDULER;
  if (add) plane.addService(service, settings);
  else plane.editService(service, settings);
  return undefined;
}

/**
 * As IPVS, what is not said becomes the default, also in an edit; only whose the service is and `--on-server-down`, which
 * ipvsadm has no words for, stay as they were. undefined: no such scheduler or engine.
 */
export function settingsOf(words: ServiceWords, before: ServiceSettings | undefined): ServiceSettings | undefined {
  const { scheduler, persistence, netmaskBits, onePacket, flags } = words;
  if (words.engine !== undefined || !isScheduler(scheduler)) return undefined;
  return {
    scheduler,
    persistence,
    netmaskBits,
    onePacket,
    flags,
    onServerDown: words.onServerDown ?? before?.onServerDown ?? "reset",
    owner: before?.owner ?? "command",
  };
}
