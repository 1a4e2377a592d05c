/**
 * State changes as programs read them: `evenkeel events` prints one JSON object a line.
 *
 * Every event says what changed and why; the fields of each kind are listed here, those of virtual servers beside their
 * machine, and nowhere else.
 */

import type { VirtualServerEvent } from "../health/virtual-server-messages.ts";
import type { FindingCode, Neighbour, Severity } from "../vrrp/neighbourhood/findings.ts";

export type DaemonEvent = { readonly time: string } & EventBody;

export type EventBody =
  | { readonly kind: "started"; readonly pid: number; readonly version: string; readonly files: readonly string[] }
  | { readonly kind: "stopping"; readonly cause: string }
  | {
      readonly kind: "vrrp-state";
      readonly instance: string;
      readonly from: string;
      readonly to: string;
      readonly priority: number;
      readonly cause: string;
    }
  | {
      readonly kind: "vrrp-group-state";
      readonly group: string;
      readonly from: string;
      readonly to: string;
      readonly cause: string;
    }
  | {
      readonly kind: "server-state";
      readonly backend: string;
      readonly server: string;
      readonly from: string;
      readonly to: string;
      readonly cause: string;
    }
  | VirtualServerEvent
  | { readonly kind: "link-state"; readonly interface: string; readonly up: boolean; readonly cause: string }
  /** The tables of `no_accept`, which somebody else had removed. As nft calls them: `ip keepalived`. */
  | { readonly kind: "drops-restored"; readonly tables: readonly string[] }
  | { readonly kind: "script-state"; readonly script: string; readonly ok: boolean; readonly cause: string }
  | {
      readonly kind: "notify-result";
      /** `INSTANCE VI_1`, `GROUP G`, `virtual server [10.0.0.1]:tcp:80`. */
      readonly subject: string;
      /** What it was told: MASTER, STOP, …; undefined for virtual servers. */
      readonly state: string | undefined;
      readonly command: string;
      readonly ok: boolean;
      readonly milliseconds: number;
      /** How it ended, in words: `exited with status 1`. */
      readonly cause: string;
    }
  | {
      /** Somebody else took a virtual address or route from a master. */
      readonly kind: "virtual-address-lost";
      readonly instance: string;
      readonly what: string;
      /** Who is guessed to have done it. */
      readonly by: string | undefined;
      readonly reaction: string;
    }
  | {
      /** A master hears another one, which had to give way, no more; its addresses are announced again. */
      readonly kind: "conflict-ended";
      readonly instance: string;
      readonly with: string;
      /** Microseconds. */
      readonly lasted: number;
    }
  | {
      readonly kind: "vrrp-priority";
      readonly instance: string;
      readonly from: number;
      readonly to: number;
      readonly cause: string;
    }
  | {
      readonly kind: "finding";
      readonly code: FindingCode;
      readonly instance: string | undefined;
      readonly interface: string;
      readonly severity: Severity;
      readonly peer: Neighbour | undefined;
      readonly text: string;
      readonly cure: string;
    }
  | {
      readonly kind: "finding-resolved";
      readonly code: FindingCode;
      readonly instance: string | undefined;
      readonly interface: string;
      readonly peer: Neighbour | undefined;
      readonly text: string;
    }
  | { readonly kind: "child-started"; readonly child: string; readonly pid: number; readonly cause: string }
  | { readonly kind: "child-exited"; readonly child: string; readonly pid: number; readonly cause: string }
  | {
      readonly kind: "reload";
      readonly result: "applied" | "unchanged" | "refused";
      readonly cause: string;
      /** Error lines when refused, in the form that `evenkeel check` prints. */
      readonly diagnostics: readonly string[];
    };

export const eventNow = (body: EventBody): DaemonEvent => ({ time: new Date().toISOString(), ...body });
