/**
 * What keepalived.conf says about virtual servers: the blocks `virtual_server`, `virtual_server_group`, `track_file` and
 * `SSL`, and the words of `global_defs` that concern them. Completed once the whole file is read, as groups may stand
 * below their use.
 *
 * `connection_table_size` is a keyword of evenkeel's own.
 */

import type { DirectorConfiguration, DirectorGlobal, VirtualServer } from "../model/virtual-server.ts";
import type { VrrpGlobal } from "../model/vrrp.ts";
import { noSettings } from "./check-settings.ts";
import type { SslFiles } from "./checker-draft.ts";
import { FifoReader } from "./fifos.ts";
import { MailReader } from "./mail.ts";
import { quote, type Report } from "./report.ts";
import { KnownTrackFiles } from "./track-file.ts";
import type { Statement, Word } from "./tree.ts";
import { flag, integer } from "./values.ts";
import { readVirtualServer, type VirtualServerDraft } from "./virtual-server.ts";
import { readServerGroup, type ServerGroup } from "./virtual-server-group.ts";
import { completeVirtualServer } from "./virtual-server-rules.ts";
import { type Handlers, walk } from "./walk.ts";

/** Services of all virtual servers together, groups written out. */
export const MAX_SERVICES = 65_536;
/** 31 days, as keepalived has it. */
const LONGEST_TIMEOUT_SECONDS = 2_678_400;
const SMALLEST_TABLE = 1_024;
const LARGEST_TABLE = 134_217_728;

export class DirectorReader {
  readonly #report: Report;
  /** Of FILE_CHECKs and of VRRP. */
  readonly trackFiles = new KnownTrackFiles();
  readonly mail: MailReader;
  readonly fifos: FifoReader;
  readonly #groups = new Map<string, ServerGroup>();
  readonly #drafts: VirtualServerDraft[] = [];
  readonly #settings = noSettings();
  #ssl: SslFiles = { ca: undefined, certificate: undefined, key: undefined, password: undefined };
  #timeouts: DirectorGlobal["timeouts"] | undefined;
  #flush = false;
  #flushOnStop: DirectorGlobal["flushOnStop"] = "no";
  #connectionTableSize: number | undefined;
  #rsInitNotifies = false;
  #firstWithScript: Word | undefined;

  constructor(report: Report) {
    this.#report = report;
    this.mail = new MailReader(report);
    this.fifos = new FifoReader(report);
  }

  /** Once complete: the first virtual server that runs a script. */
  get firstWithScript(): Word | undefined {
    return this.#firstWithScript;
  }

  /** Blocks outside every other. */
  get blockHandlers(): Handlers {
    return {
      virtual_server: (statement) => {
        const draft = readVirtualServer(statement, this.trackFiles, this.#report);
        if (draft !== undefined) this.#drafts.push(draft);
      },
      virtual_server_group: (statement) => this.#addGroup(statement),
      track_file: (statement) => this.trackFiles.define(statement, this.#report),
      vrrp_track_file: (statement) => this.trackFiles.define(statement, this.#report),
      SSL: ({ block }) => this.#readSsl(block ?? []),
    };
  }

  /** Words of `global_defs`. */
  get globalHandlers(): Handlers {
    return {
      ...this.mail.handlers,
      ...this.fifos.handlers,
      lvs_timeouts: (statement) => this.#readTimeouts(statement),
      lvs_flush: () => {
        this.#flush = true;
      },
      lvs_flush_on_stop: ({ words: [what] }) => this.#setFlushOnStop(what),
      lvs_flush_onstop: ({ words: [what] }) => this.#setFlushOnStop(what),
      checker_log_all_failures: ({ words: [value] }) => {
        this.#settings.logAllFailures = flag(value, this.#report);
      },
      rs_init_notifies: () => {
        this.#rsInitNotifies = true;
      },
      connection_table_size: ({ words: [size] }) => {
        this.#connectionTableSize =
          (size && integer(size, SMALLEST_TABLE, LARGEST_TABLE, this.#report, "the default")) ??
          this.#connectionTableSize;
      },
    };
  }

  /** Undefined when the file has nothing for it. */
  complete(global: VrrpGlobal): DirectorConfiguration | undefined {
    const virtualServers = this.#completeVirtualServers();
    const settled =
      this.#timeouts !== undefined ||
      this.#flush ||
      this.#flushOnStop !== "no" ||
      this.#connectionTableSize !== undefined;
    if (this.#drafts.length === 0 && !settled) return undefined;
    const { routerId, enableScriptSecurity, scriptUser: user } = global;
    return {
      global: {
        routerId,
        timeouts: this.#timeouts ?? { tcp: 0, tcpFin: 0, udp: 0 },
        flush: this.#flush,
        flushOnStop: this.#flushOnStop,
        connectionTableSize: this.#connectionTableSize,
        fifos: this.fifos.lvs,
        enableScriptSecurity,
        scriptUser: user,
        rsInitNotifies: this.#rsInitNotifies,
        mail: this.mail.complete(routerId),
        mailEveryCheck: this.mail.everyCheck,
      },
      virtualServers,
      trackFiles: this.trackFiles.used,
    };
  }

  #completeVirtualServers(): VirtualServer[] {
    const report = this.#report;
    const context = { groups: this.#groups, ssl: this.#ssl, settings: this.#settings, alerts: this.mail.defaults };
    const owners = new Map<string, string>();
    const complete: VirtualServer[] = [];
    for (const draft of this.#drafts) {
      const { head } = draft;
      const count = head.kind === "group" ? (this.#groups.get(head.name)?.members.length ?? 0) : 1;
      if (owners.size + count > MAX_SERVICES) {
        const message = `More than ${MAX_SERVICES} virtual services`;
        report.error(
          "keepalived/group-limit",
          draft.at,
          message,
          "Use firewall marks instead: virtual_server fwmark N",
        );
        break;
      }
      const server = completeVirtualServer(draft, context, report);
      if (server === undefined) continue;
      const keys = server.services.map((service) => JSON.stringify(service));
      const taken = keys.map((key) => owners.get(key)).find((owner) => owner !== undefined);
      if (taken === undefined) {
        for (const key of keys) owners.set(key, server.name);
        complete.push(server);
        if (runsScript(server)) this.#firstWithScript ??= draft.at;
        continue;
      }
      const message = `Virtual server ${quote(server.name)} is served by ${quote(taken)} already - ignoring`;
      report.warning("keepalived/duplicate-server", draft.at, message, "Put all real servers into one virtual_server");
    }
    return complete;
  }

  #addGroup(statement: Statement): void {
    const [name] = statement.words;
    if (name === undefined) return;
    if (this.#groups.has(name.text)) {
      const message = `virtual server group ${quote(name.text)} already defined`;
      const help = "This block is skipped: give it a name of its own";
      this.#report.warning("keepalived/already-defined", name, message, help);
      return;
    }
    const group = readServerGroup(statement, name, this.#report);
    if (group !== undefined) this.#groups.set(group.name, group);
  }

  #readSsl(lines: readonly Statement[]): void {
    const ssl: { -readonly [K in keyof SslFiles]: SslFiles[K] } = { ...this.#ssl };
    const set = (name: keyof SslFiles) => {
      return ({ words: [value] }: Statement) => {
        ssl[name] = value?.text;
      };
    };
    const handlers = { ca: set("ca"), certificate: set("certificate"), key: set("key"), password: set("password") };
    walk(lines, "SSL", handlers, this.#report);
    this.#ssl = ssl;
  }

  #setFlushOnStop(what: Word | undefined): void {
    if (what === undefined || what.text === "VS") this.#flushOnStop = what === undefined ? "all" : "virtual-servers";
    else {
      const message = `Unknown lvs_flush_on_stop type ${quote(what.text)}`;
      this.#report.warning("keepalived/unknown-option", what, message, "Write VS, or nothing for all services");
    }
  }

  #readTimeouts({ keyword, words }: Statement): void {
    const names = { tcp: "tcp", tcpfin: "tcpFin", udp: "udp" } as const;
    const timeouts = { tcp: 0, tcpFin: 0, udp: 0 };
    if (words.length === 0)
      this.#report.warning("keepalived/missing-value", keyword, "lvs_timeouts requires at least one option");
    for (let at = 0; at < words.length; at += 2) {
      const name = words[at] ?? keyword;
      const value = words[at + 1];
      if (!Object.hasOwn(names, name.text)) {
        const message = `Unknown option ${quote(name.text)} specified for lvs_timeouts`;
        const help = "Write lvs_timeouts [tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]";
        this.#report.warning("keepalived/unknown-option", name, message, help);
      } else if (value === undefined) {
        this.#report.warning("keepalived/missing-value", name, `lvs_timeouts ${name.text} has no value - ignoring`);
      } else {
        const field = names[name.text as keyof typeof names];
        timeouts[field] = integer(value, 0, LONGEST_TIMEOUT_SECONDS, this.#report, "the kernel's") ?? 0;
      }
    }
    this.#timeouts = timeouts;
  }
}

function runsScript({ quorumUp, quorumDown, realServers }: VirtualServer): boolean {
  const scripts = realServers.flatMap(({ notifyUp, notifyDown, checkers }) => [
    notifyUp,
    notifyDown,
    ...checkers.map((checker) => (checker.type === "MISC_CHECK" ? checker.command : undefined)),
  ]);
  return [quorumUp, quorumDown, ...scripts].some((script) => script !== undefined);
}
