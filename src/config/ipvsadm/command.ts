/** What a command line of ipvsadm asks for, checked, with defaults filled in. */

import type { IpAddress } from "../../base/ip.ts";
import type { OnServerDown, ServerKey, ServerSettings, ServiceKey, Timeouts } from "../../director/plane.ts";

/** The data plane balances no SCTP; naming such a service is good grammar all the same. */
export type NamedService = ServiceKey | { readonly kind: "sctp"; readonly address: IpAddress; readonly port: number };

export interface ServiceWords {
  /** Any word: whether there is such a scheduler is for who carries it out, as in IPVS. */
  readonly scheduler: string;
  /** Seconds; undefined: not persistent. */
  readonly persistence: number | undefined;
  readonly netmaskBits: number;
  readonly onePacket: boolean;
  readonly flags: { readonly fallback: boolean; readonly port: boolean; readonly flag3: boolean };
  /** `--pe`. */
  readonly engine: string | undefined;
  /** undefined: not said. */
  readonly onServerDown: OnServerDown | undefined;
}

export type ListingView = "plain" | "stats" | "rate" | "thresholds" | "persistent-conn" | "tun-info";

export interface ListOptions {
  readonly view: ListingView;
  /** Addresses and ports as numbers. */
  readonly numeric: boolean;
  readonly exact: boolean;
  readonly sort: boolean;
  readonly json: boolean;
  /** Say which services are the daemon's, also where nobody reads along. */
  readonly owner: boolean;
}

export type Change =
  | { readonly do: "add-service" | "edit-service"; readonly service: NamedService; readonly words: ServiceWords }
  | { readonly do: "delete-service"; readonly service: NamedService }
  | {
      readonly do: "add-server" | "edit-server";
      readonly service: NamedService;
      readonly server: ServerKey;
      readonly settings: ServerSettings;
    }
  | { readonly do: "delete-server"; readonly service: NamedService; readonly server: ServerKey }
  | { readonly do: "flush" }
  | { readonly do: "zero"; readonly service: NamedService | undefined }
  /** 0 keeps what is. */
  | { readonly do: "set"; readonly timeouts: Timeouts }
  | { readonly do: "start-daemon" | "stop-daemon"; readonly role: "master" | "backup" };

export type Question =
  | { readonly do: "list-services"; readonly service: NamedService | undefined; readonly options: ListOptions }
  | { readonly do: "list-connections"; readonly options: ListOptions }
  | { readonly do: "list-timeouts"; readonly options: ListOptions }
  | { readonly do: "list-daemon" }
  | { readonly do: "save"; readonly numeric: boolean; readonly sort: boolean };

export type Command = Change | Question | { readonly do: "restore" };
