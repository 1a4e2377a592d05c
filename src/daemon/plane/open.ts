/**
 * Opens the layer-4 data plane of this network namespace: what is pinned is adopted, what is missing is loaded.
 *
 * Everything lives in pinned maps and links, so the plane forwards without any process and several processes may have it
 * open at once: `evenkeel ipvsadm` beside the director. One daemon at most holds it. Synchronous, as all of `Plane` is.
 */

import type { Plane, ServerKey, ServerSettings, ServiceKey } from "../../director/plane.ts";

export interface PlaneOptions {
  /** `daemon`: holds the plane until `close`; a second one is refused. `command`: beside whoever holds it. */
  readonly role: "daemon" | "command";
  /** Mount point of our bpffs; `$EVENKEEL_RUN/bpf` or /run/evenkeel/bpf when missing. */
  readonly directory?: string | undefined;
  /** Connections that each of the two tables (IPv4, IPv6) holds; counts when the plane is loaded afresh. */
  readonly capacity?: number | undefined;
  /** Remarks for a log or for standard error: adopted, loaded, upgraded, copied from another layout. */
  readonly say?: ((text: string) => void) | undefined;
}

/** Why there is no plane; `message` names what is missing or who holds it. */
export class PlaneUnavailable extends Error {
  readonly reason: "kernel" | "permission" | "held";

  constructor(reason: PlaneUnavailable["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PlaneUnavailable";
    this.reason = reason;
  }
}

export interface OpenedPlane extends Plane, Disposable {
  /**
   * Makes these the service's servers, in scheduling order: those that stay keep counters and connections, others are added
   * or deleted, all in one step. ESRCH, and the codes of `addServer`.
   */
  replaceServers(
    service: ServiceKey,
    servers: readonly { readonly key: ServerKey; readonly settings: ServerSettings }[],
  ): void;
  /** Nobody else changes the plane while `work` runs. For many changes at once, and for look-then-change. Must not wait. */
  exclusively<T>(work: () => T): T;
  /** Attaches to interfaces that have appeared; the daemon calls it on each change of a link. */
  attachMissing(): void;
  /** Removes everything: services, connections, programs, pins, rules. The plane may not be used afterwards. */
  clear(): void;
  /** Lets go; the plane itself stays. Safe to call twice. */
  close(): void;
}

/**
 * @throws PlaneUnavailable `kernel`: BPF is missing or older than needed; `permission`: needs root; `held`: a daemon runs
 * @throws SystemError
 */
export function openPlane(options: PlaneOptions): OpenedPlane {
  throw new PlaneUnavailable("kernel", `no data plane is built yet (${options.role})`);
}
