/**
 * What keepalived.conf says about virtual servers and their checkers, checked, inherited and with defaults filled in. Plain
 * JSON: the supervisor reads the files, the director process receives this.
 *
 * Names are keepalived's (keepalived.conf(5)). Durations are integer microseconds. Inheritance (virtual server → real
 * server → checker) is already done: nobody downstream looks upwards.
 */

import type { IpAddress } from "../../base/ip.ts";
import type { Duration } from "../../base/time.ts";
import type { OnServerDown, SchedulerName, ServerKey, ServerSettings, ServiceKey } from "../../director/plane.ts";
import type { MailSettings } from "./mail.ts";
import type { ScriptCommand, ScriptUser } from "./vrrp.ts";

export interface DirectorConfiguration {
  readonly global: DirectorGlobal;
  readonly virtualServers: readonly VirtualServer[];
  /** `track_file` blocks that a FILE_CHECK names. */
  readonly trackFiles: readonly TrackFile[];
}

export interface DirectorGlobal {
  readonly routerId: string | undefined;
  /** `lvs_timeouts tcp N tcpfin N udp N`, seconds; 0 keeps what is. */
  readonly timeouts: { readonly tcp: number; readonly tcpFin: number; readonly udp: number };
  /** `lvs_flush`: remove all services at start. */
  readonly flush: boolean;
  /**
   * `lvs_flush_onstop`, `lvs_flush_on_stop VS`. Without it keepalived removes its real servers one by one and then their
   * services; `virtual-servers` spares it the first, as ours always is. `all`: what others made in the table goes too.
   */
  readonly flushOnStop: "no" | "all" | "virtual-servers";
  /** Of the connection table; undefined: the default. A keyword of ours: `connection_table_size`. */
  readonly connectionTableSize: number | undefined;
  /** `lvs_notify_fifo`, `notify_fifo`. */
  readonly fifos: readonly NotifyFifo[];
  readonly enableScriptSecurity: boolean;
  /** `script_user USER [GROUP]`: for commands that name none. */
  readonly scriptUser: ScriptUser | undefined;
  /** `rs_init_notifies`: notify_up runs for the first success too. */
  readonly rsInitNotifies: boolean;
  /** Undefined: no mail is sent. */
  readonly mail: MailSettings | undefined;
  /** A mail for every checker that changes; without (`no_checker_emails`) only when the real server's state does. */
  readonly mailEveryCheck: boolean;
}

export interface NotifyFifo {
  readonly path: string;
  /** Who owns it; undefined: `scriptUser`. */
  readonly user: ScriptUser | undefined;
  /** Started with the path as its last argument. */
  readonly script: ScriptCommand | undefined;
  /** The vrrp process writes to it too, starts its reader and removes it. */
  readonly shared?: true;
}

export interface TrackFile {
  readonly name: string;
  readonly file: string;
  /** Multiplies the number in the file. */
  readonly weight: number;
  readonly reverse: boolean;
  /** `init_file [VALUE] [overwrite]`: written at start, over a file that exists only with `overwrite`. */
  readonly init: { readonly value: number; readonly overwrite: boolean } | undefined;
}

export interface VirtualServer {
  /** As log lines and events call it: `[10.0.0.1]:tcp:80`, `[group]:0`, `FWM 3`. */
  readonly name: string;
  /** One, or all members of a `virtual_server_group`. */
  readonly services: readonly ServiceKey[];
  readonly scheduler: SchedulerName;
  readonly flags: { readonly fallback: boolean; readonly port: boolean; readonly flag3: boolean };
  readonly onePacket: boolean;
  /** Seconds. */
  readonly persistence: number | undefined;
  /** 0..32 or 0..128; more than an address has: all of it. */
  readonly netmaskBits: number;
  /** A keyword of ours: `on_server_down move|reset|keep`. */
  readonly onServerDown: OnServerDown;
  readonly quorum: number;
  readonly hysteresis: number;
  readonly quorumUp: ScriptCommand | undefined;
  readonly quorumDown: ScriptCommand | undefined;
  /** Real servers start down. Also on each checker; here for the virtual server's own start state. */
  readonly alpha: boolean;
  /** At a stop run notify_down and quorum_down. */
  readonly omega: boolean;
  /** No checks while none of the addresses is on this host. */
  readonly haSuspend: boolean;
  /** `smtp_alert`: mail when the quorum is lost or gained. */
  readonly smtpAlert: boolean;
  readonly sorryServer: SorryServer | undefined;
  readonly realServers: readonly RealServer[];
}

export interface SorryServer {
  /** Port 0: that of each service; by mark and of all ports (0 there too) that to which the packet goes. */
  readonly key: ServerKey;
  readonly settings: ServerSettings;
  /** `sorry_server_inhibit`: kept in the table with weight 0 instead of removed. */
  readonly inhibit: boolean;
}

export interface RealServer {
  /** Port 0: that of each service; by mark and of all ports (0 there too) that to which the packet goes. */
  readonly key: ServerKey;
  readonly settings: ServerSettings;
  /** Weight 0 instead of removal. */
  readonly inhibitOnFailure: boolean;
  readonly notifyUp: ScriptCommand | undefined;
  readonly notifyDown: ScriptCommand | undefined;
  /** `smtp_alert`: mail when it goes up or down. */
  readonly smtpAlert: boolean;
  readonly checkers: readonly Checker[];
}

/** Where and how a checker connects. */
export interface CheckConnection {
  readonly address: IpAddress;
  readonly port: number;
  /** `bindto`. */
  readonly source: IpAddress | undefined;
  readonly sourcePort: number | undefined;
  /** `bind_if`. */
  readonly interface: string | undefined;
  readonly mark: number | undefined;
  readonly timeout: Duration;
  /** `check_path data_plane`, a keyword of ours: to the virtual address, through the very path of the traffic. */
  readonly path: "direct" | "data_plane";
}

export interface CheckSchedule {
  readonly delayLoop: Duration;
  /** Down after `retry + 1` failures. */
  readonly retry: number;
  readonly delayBeforeRetry: Duration;
  /** The first probe comes at a random time within. */
  readonly warmup: Duration;
  readonly alpha: boolean;
  readonly logAllFailures: boolean;
}

export type Checker = CheckSchedule & (ConnectingChecker | MiscCheck | FileCheck);

export type ConnectingChecker = { readonly connection: CheckConnection } & (
  | { readonly type: "TCP_CHECK" }
  | HttpCheck
  | { readonly type: "SMTP_CHECK"; readonly heloName: string }
  | { readonly type: "DNS_CHECK"; readonly recordType: DnsRecordType; readonly name: string }
  | UdpCheck
  | { readonly type: "PING_CHECK" }
);

export type DnsRecordType = "A" | "NS" | "CNAME" | "SOA" | "MX" | "TXT" | "AAAA";

export interface HttpCheck {
  readonly type: "HTTP_GET" | "SSL_GET";
  readonly httpVersion: "1.0" | "1.0C" | "1.1";
  readonly fastRecovery: boolean;
  readonly urls: readonly HttpCheckUrl[];
  readonly tls:
    | {
        readonly sni: string | undefined;
        readonly ca: string | undefined;
        readonly certificate: string | undefined;
        readonly key: string | undefined;
        readonly password: string | undefined;
      }
    | undefined;
}

export interface HttpCheckUrl {
  readonly path: string;
  /** The whole value of the Host field. */
  readonly host: string;
  /** Inclusive ranges. */
  readonly statusCodes: readonly { readonly first: number; readonly last: number }[];
  /** MD5 of the body, lower-case hex. */
  readonly digest: string | undefined;
  readonly regex:
    | {
        readonly pattern: string;
        readonly negated: boolean;
        /** Flags of a JavaScript regular expression. */
        readonly flags: string;
        readonly minOffset: number;
        /** 0: no limit. */
        readonly maxOffset: number;
      }
    | undefined;
}

export interface UdpCheck {
  readonly type: "UDP_CHECK";
  /** Lower-case hex. */
  readonly payload: string;
  readonly requireReply: boolean;
  /** Hex digits or `x` for any digit; undefined: any reply. */
  readonly replyPattern: string | undefined;
  readonly minReplyLength: number;
  readonly maxReplyLength: number;
}

export interface MiscCheck {
  readonly type: "MISC_CHECK";
  readonly command: ScriptCommand;
  readonly timeout: Duration;
  readonly dynamic: boolean;
}

export interface FileCheck {
  readonly type: "FILE_CHECK";
  readonly trackFile: string;
  readonly weight: number;
  readonly reverse: boolean;
}
