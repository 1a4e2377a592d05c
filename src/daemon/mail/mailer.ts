/**
 * Sends alerts by mail, as keepalived's `smtp_alert` does: one after the other, plain SMTP to the one relay that is
 * configured, never in the way of what they tell about.
 *
 * nodemailer speaks SMTP (RFC 5321) and writes the message (RFC 5322): it encodes what a header cannot carry and lets no
 * line break into one. The connection is made here, so that a relay which keeps us waiting can be left. A mail that fails
 * is logged and not tried again, and so is one that finds the queue full.
 */

import { connect, type Socket } from "node:net";
import { hostname } from "node:os";
import { inMilliseconds } from "../../base/time.ts";
import type { MailSettings } from "../../config/model/mail.ts";
import type { Log } from "../log/log.ts";

export interface Mail {
  /** Without the `[router_id]` that is put in front. */
  readonly subject: string;
  readonly text: string;
}

/** Mails that wait for one that is being sent; the oldest go first, the newest state is always told. */
const LONGEST_QUEUE = 100;
/** Of `smtp_connect_timeout`: a relay that always answers just in time is left after so many of them. */
const LONGEST_EXCHANGE_TIMEOUTS = 4;
const LONGEST_REASON = 200;

export class Mailer {
  readonly #log: Log;
  readonly #queue: Mail[] = [];
  #settings: MailSettings | undefined;
  #sending: Promise<void> | undefined;
  #socket: Socket | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Holds for mails that wait already; undefined: they and all others go nowhere. */
  configure(settings: MailSettings | undefined): void {
    this.#settings = settings;
  }

  send(mail: Mail): void {
    if (this.#settings === undefined) return;
    this.#queue.push(mail);
    while (this.#queue.length > LONGEST_QUEUE) {
      const lost = this.#queue.shift();
      this.#log.write("err", `SMTP alert dropped, ${LONGEST_QUEUE} wait already: ${lost?.subject}`);
    }
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#sending;
  }

  /** Forgets what waits and leaves the relay. */
  close(): void {
    this.#settings = undefined;
    this.#queue.length = 0;
    this.#socket?.destroy();
  }

  async #sendAll(): Promise<void> {
    for (let mail = this.#queue.shift(); mail !== undefined; mail = this.#queue.shift()) {
      const settings = this.#settings;
      if (settings === undefined) return;
      const { host, port } = settings.server;
      try {
        await this.#sendOne(mail, settings);
        this.#log.write("info", "SMTP alert successfully sent.");
      } catch (error) {
        const reason = (error instanceof Error ? error.message : String(error)).replace(/\p{Cc}+/gu, " ");
        const failure = `SMTP alert to [${host}]:${port} failed: ${reason.slice(0, LONGEST_REASON)}`;
        this.#log.write("err", `${failure}; its subject: ${mail.subject}`);
      }
    }
  }

  async #sendOne({ subject, text }: Mail, settings: MailSettings): Promise<void> {
    const { createTransport } = await import("nodemailer");
    const name = hostname();
    const timeout = inMilliseconds(settings.connectTimeout);
    const socket = await this.#connect(settings);
    const limit = setTimeout(() => socket.destroy(new Error("it takes too long")), timeout * LONGEST_EXCHANGE_TIMEOUTS);
    try {
      const transport = createTransport({
        connection: socket,
        name: settings.heloName ?? name,
        ignoreTLS: true,
        greetingTimeout: timeout,
        socketTimeout: timeout,
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      await transport.sendMail({
        from: settings.from ?? `keepalived@${name}`,
        to: [...settings.to],
        subject: `[${settings.routerId ?? name}] ${subject}`,
        text: `${text}\n\n`,
        // What filters of those who come from keepalived look for.
        xMailer: "Keepalived",
      });
    } finally {
      clearTimeout(limit);
      socket.destroy();
    }
  }

  #connect({ server, connectTimeout }: MailSettings): Promise<Socket> {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const socket = connect({ ...server, timeout: inMilliseconds(connectTimeout) });
    this.#socket = socket;
    socket.once("timeout", () => socket.destroy(new Error("connection timed out")));
    // Destroyed by `close`, there is no error.
    socket.once("close", () => reject(new Error("the connection was closed")));
    socket.on("error", reject);
    socket.once("connect", () => {
      this.#log.write("info", `Remote SMTP server [${server.host}]:${server.port} connected.`);
      socket.setTimeout(0);
      resolve(socket);
    });
    return promise;
  }
}
