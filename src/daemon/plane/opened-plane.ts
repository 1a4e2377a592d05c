/** What `openPlane` takes and gives: `Plane` with what its users need around it, and why there may be none. */

import type { Plane } from "../../director/plane.ts";
import type { AttachMethod } from "../../sys/bpf-attach.ts";

export interface PlaneOptions {
  /** `daemon`: holds the plane until `close`; a second one is refused. `command`: beside whoever holds it. */
  readonly role: "daemon" | "command";
  /** Mount point of our bpffs; `$EVENKEEL_RUN/bpf` or /run/evenkeel/bpf when missing. */
  readonly directory?: string | undefined;
  /** The compiled data plane; that of this version when missing. */
  readonly object?: string | undefined;
  /** Connections that each of the two tables (IPv4, IPv6) holds; counts when the plane is loaded afresh. */
  readonly capacity?: number | undefined;
  /** How programs are put on interfaces; the best that the kernel has when missing. */
  readonly method?: AttachMethod | undefined;
  /** Remarks for a log or for standard error: upgraded, copied from another layout, clients that were reset. */
  readonly say?: ((text: string) => void) | undefined;
}

/** Why there is no plane; `message` names what is missing or who holds it. */
export class PlaneUnavailable extends Error {
  readonly reason: "kernel" | "permission" | "held" | "passing";

  constructor(reason: PlaneUnavailable["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PlaneUnavailable";
    this.reason = reason;
  }
}

export interface OpenedPlane extends Plane, Disposable {
  /** Nobody else changes the plane while `work` runs. For many changes at once, and for look-then-change. Must not wait. */
  exclusively<T>(work: () => T): T;
  /**
   * Looks at the machine's interfaces and addresses again: attaches to those that have appeared, knows which servers are
   * local. The daemon calls it on each change of a link or an address.
   */
  attachMissing(): void;
  /**
   * All services. Where no connection is to be kept (`onServerDown`), this is a command and no daemon holds the plane, also
   * connections, programs, pins and rules, so that an old connection is nothing to a new service; clients are reset first, as
   * many as a second is enough for. Time-outs stay. What is used afterwards is made anew.
   */
  flush(): void;
  /** As `flush`, of kept connections and time-outs too; also what a daemon holds that is this process. */
  clear(): void;
  /** Lets go; the plane itself stays, save a command's that has neither services nor connections. Safe to call twice. */
  close(): void;
}
