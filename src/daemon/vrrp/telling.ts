/**
 * Tells others what instances and sync groups do: FIFOs, notify scripts and mail, in keepalived's order: scripts, FIFO, mail.
 *
 * Nothing here holds up the machine: scripts and mails wait in bounded queues, a FIFO that is full loses lines.
 */

import type { VrrpConfiguration } from "../../config/model/vrrp.ts";
import type { HostSnapshot, Output } from "../../vrrp/messages.ts";
import type { EventBody } from "../events.ts";
import type { Log } from "../log/log.ts";
import { Mailer } from "../mail/mailer.ts";
import { NotifyFifos } from "../scripts/notify-fifos.ts";
import { NotifyQueue } from "../scripts/notify-queue.ts";
import type { ScriptRunner } from "../scripts/script-runner.ts";
import { alertMail } from "./alert-mail.ts";
import type { VrrpReport } from "./report.ts";

type Notification = Extract<Output, { type: "notify" }>;

/** What the configuration says of those that are told about. */
interface Subject {
  readonly smtpAlert: boolean;
  /** Of a group. */
  readonly members: readonly string[];
}

export class Telling {
  readonly #scripts: NotifyQueue;
  readonly #fifos: NotifyFifos;
  readonly #mailer: Mailer;
  #configuration: VrrpConfiguration;
  #subjects = new Map<string, Subject>();

  constructor(configuration: VrrpConfiguration, scripts: ScriptRunner, log: Log, publish: (event: EventBody) => void) {
    this.#configuration = configuration;
    this.#scripts = new NotifyQueue(scripts, log, publish);
    this.#fifos = new NotifyFifos(log, scripts);
    this.#mailer = new Mailer(log);
    this.prepare(configuration);
  }

  /** Before the machine takes a configuration: those that it deletes are still known. */
  prepare(configuration: VrrpConfiguration): void {
    this.#configuration = configuration;
    const { global } = configuration;
    this.#scripts.parallel = global.notifyParallel;
    this.#fifos.configure(global.notifyFifos);
    if (global.mail !== undefined) this.#mailer.configure(global.mail);
    this.#subjects = new Map([...this.#subjects, ...subjectsOf(configuration)]);
  }

  /** After it has. */
  settle({ instances, groups }: HostSnapshot): void {
    const { global } = this.#configuration;
    this.#mailer.configure(global.mail);
    const subjects = subjectsOf(this.#configuration);
    for (const subject of this.#subjects.keys()) if (!subjects.has(subject)) this.#scripts.forget(subject);
    this.#subjects = subjects;
    if (!global.statesToFifosOnReload) return;
    // keepalived 2.2.7 tells of groups alone.
    for (const { name, state, effectivePriority } of instances)
      this.#fifos.write(fifoLine("INSTANCE", name, state, effectivePriority));
    for (const { name, state } of groups) this.#fifos.write(fifoLine("GROUP", name, state, 0));
  }

  notify({ kind, name, state, priority, commands }: Notification): void {
    const subject = `${kind} ${name}`;
    const { members = [], smtpAlert = false } = this.#subjects.get(subject) ?? {};
    this.#scripts.add(subject, commands, { state, after: members.map((member) => `INSTANCE ${member}`) });
    this.#fifos.write(fifoLine(kind, name, state, priority));
    if (!smtpAlert || (state === "FAULT" && this.#configuration.global.noEmailFaults)) return;
    const mail = alertMail({ kind, name, state });
    if (mail !== undefined) this.#mailer.send(mail);
  }

  reports(): Pick<VrrpReport, "notifications" | "fifos"> {
    return { notifications: this.#scripts.reports(), fifos: this.#fifos.reports() };
  }

  /** Resolves when every script has ended and every mail has gone, or failed. */
  async idle(): Promise<void> {
    await Promise.all([this.#scripts.idle(), this.#mailer.idle()]);
  }

  /** What waits is forgotten; readers of FIFOs see their last lines, within half a second. */
  async close(): Promise<void> {
    this.#scripts.clear();
    this.#mailer.close();
    await this.#fifos.close();
  }
}

/** Byte for byte keepalived's. */
const fifoLine = (kind: "INSTANCE" | "GROUP", name: string, state: string, priority: number): string =>
  `${kind} "${name}" ${state} ${priority}`;

const subjectsOf = ({ instances, syncGroups }: VrrpConfiguration): Map<string, Subject> =>
  new Map([
    ...instances.map(({ name, smtpAlert }) => [`INSTANCE ${name}`, { smtpAlert, members: [] }] as const),
    ...syncGroups.map(({ name, smtpAlert, members }) => [`GROUP ${name}`, { smtpAlert, members }] as const),
  ]);
