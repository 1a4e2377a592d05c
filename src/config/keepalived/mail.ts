/**
 * Words of `global_defs` about mail, and what they leave to `smtp_alert` of virtual and real servers (keepalived.conf(5),
 * "Global definitions"; defaults of 2.2.7, measured).
 */

import { seconds } from "../../base/time.ts";
import type { MailSettings } from "../model/mail.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import { flag, integer, timer } from "./values.ts";
import type { Handlers } from "./walk.ts";

/** What `smtp_alert` is where a block does not say. */
export interface AlertDefaults {
  readonly virtualServer: boolean;
  readonly realServer: boolean;
}

const SMTP_PORT = 25;
const LONGEST_TIMEOUT_SECONDS = 4_294;
const MOST_RECIPIENTS = 100;
/** RFC 5321 §4.5.3.1.3. */
const LONGEST_ADDRESS = 256;

export class MailReader {
  readonly #report: Report;
  readonly #to: string[] = [];
  #from: string | undefined;
  #server: MailSettings["server"] | undefined;
  #connectTimeout = seconds(30);
  #heloName: string | undefined;
  #all: boolean | undefined;
  #checker: boolean | undefined;
  #vrrp: boolean | undefined;
  #faults = true;
  #everyCheck = true;
  #recipients: Word | undefined;

  constructor(report: Report) {
    this.#report = report;
  }

  get handlers(): Handlers {
    const report = this.#report;
    return {
      notification_email: (statement) => this.#readRecipients(statement),
      notification_email_from: ({ words: [word] }) => {
        if (word !== undefined && this.#isAddress(word)) this.#from = word.text;
      },
      smtp_server: ({ words: [host, port] }) => this.#readServer(host, port),
      smtp_connect_timeout: ({ words: [word] }) => {
        this.#connectTimeout = (word && timer(word, 1, LONGEST_TIMEOUT_SECONDS, report, "30")) ?? this.#connectTimeout;
      },
      smtp_helo_name: ({ words: [word] }) => {
        if (word !== undefined && this.#isHost(word)) this.#heloName = word.text;
      },
      smtp_alert: ({ words: [word] }) => {
        this.#all = flag(word, report) ?? this.#all;
      },
      smtp_alert_checker: ({ words: [word] }) => {
        this.#checker = flag(word, report) ?? this.#checker;
      },
      smtp_alert_vrrp: ({ words: [word] }) => {
        this.#vrrp = flag(word, report) ?? this.#vrrp;
      },
      no_checker_emails: () => {
        this.#everyCheck = false;
      },
      no_email_faults: () => {
        this.#faults = false;
      },
    };
  }

  /** keepalived tells of every real server, and of the quorum only where it is asked to. */
  get defaults(): AlertDefaults {
    const given = this.#checker ?? this.#all;
    return { virtualServer: given ?? false, realServer: given ?? true };
  }

  /** `smtp_alert` of an instance or sync group that does not say. */
  get vrrpDefault(): boolean {
    return this.#vrrp ?? this.#all ?? false;
  }

  get withoutFaults(): boolean {
    return !this.#faults;
  }

  /** A mail for every checker that changes, not only when the server's state does. */
  get everyCheck(): boolean {
    return this.#everyCheck;
  }

  /** Undefined where nobody is to be told, or by no server. */
  complete(routerId: string | undefined): MailSettings | undefined {
    if (this.#recipients === undefined || this.#to.length === 0) return undefined;
    if (this.#server === undefined) {
      const message = "notification_email without smtp_server: no mail is sent";
      this.#report.warning("keepalived/missing-value", this.#recipients, message, "Add smtp_server HOST [PORT]");
      return undefined;
    }
    const [connectTimeout, heloName] = [this.#connectTimeout, this.#heloName];
    return { to: this.#to, from: this.#from, server: this.#server, connectTimeout, heloName, routerId };
  }

  #readRecipients({ keyword, block }: Statement): void {
    this.#recipients ??= keyword;
    for (const line of block ?? []) {
      for (const word of [line.keyword, ...line.words]) {
        if (!this.#isAddress(word)) continue;
        if (this.#to.length < MOST_RECIPIENTS) this.#to.push(word.text);
        else {
          const message = `More than ${MOST_RECIPIENTS} addresses: ${quote(word.text)} gets no mail`;
          this.#report.warning("keepalived/out-of-range", word, message, "Give the address of a list");
        }
      }
    }
  }

  #readServer(host: Word | undefined, port: Word | undefined): void {
    if (host === undefined || !this.#isHost(host)) return;
    const number = port === undefined ? SMTP_PORT : integer(port, 1, 65_535, this.#report, String(SMTP_PORT));
    this.#server = { host: host.text, port: number ?? SMTP_PORT };
  }

  /** `ops@example.net`, `Name <ops@example.net>`, or an account of the mail server. */
  #isAddress(word: Word): boolean {
    const [, name, inner] = /^([^<>@,;:]*)<([^<>]*)>$/.exec(word.text) ?? [undefined, "", word.text];
    const plain = /^[^\s<>()[\],;:"\\]+$/.test(inner ?? "") && !/[^\x20-\x7e]/.test(inner ?? "");
    const printable = !/\p{Cc}/u.test(name ?? "");
    if (plain && printable && word.text.length <= LONGEST_ADDRESS) return true;
    const message = `${quote(word.text)} is no mail address - ignoring`;
    this.#report.warning("keepalived/bad-address", word, message, 'Write NAME@HOST or "Words <NAME@HOST>"');
    return false;
  }

  #isHost(word: Word): boolean {
    if (/^[0-9A-Za-z_.:-]{1,253}$/.test(word.text)) return true;
    const message = `${quote(word.text)} is no name of a host - ignoring`;
    this.#report.warning("keepalived/bad-address", word, message, "Write an IP address or a name");
    return false;
  }
}
