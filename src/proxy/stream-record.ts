/**
 * What is noted of one stream while it lives: when each step was reached, how it ended, how much went through. At its end
 * this becomes a log line and counts in the figures of frontend, backend and server.
 *
 * configuration.txt 8.4 (timers) and 8.5 (termination state).
 */

import type { Instant } from "../base/time.ts";
import type { ProxyBackend } from "./backend.ts";
import type { ServingCounters } from "./counters.ts";
import type { ProxyFrontend } from "./frontend.ts";
import { type LogRecord, type LogTimers, logMessage } from "./log-format.ts";
import type { Connection } from "./port.ts";
import { elapsedMs, type Runtime } from "./runtime.ts";
import type { ProxyServer } from "./server.ts";

/** Client, server, proxy, local answer, resources, internal error, server went down; small letters are time-outs. */
export type Cause = "C" | "S" | "P" | "L" | "R" | "I" | "D" | "c" | "s" | "K";
/** Request, queue, connect, headers, data. */
export type Step = "R" | "Q" | "C" | "H" | "D";

export class StreamRecord {
  readonly began: Instant;
  readonly beganMs: number;
  readonly #frontend: ProxyFrontend;
  readonly #connection: Connection;
  readonly #runtime: Runtime;
  backend: ProxyBackend | undefined;
  server: ProxyServer | undefined;
  /** The head of the request was complete; undefined when nothing was made of it. */
  requestAt: Instant | undefined;
  queuedUntil: Instant | undefined;
  connectedAt: Instant | undefined;
  respondedAt: Instant | undefined;
  status = -1;
  bytesIn = 0;
  bytesOut = 0;
  /** `--` unless something went wrong; the first reason stays. */
  termination = "--";
  cookieState = "--";
  retries = 0;
  redispatched = false;
  serverQueue = 0;
  backendQueue = 0;
  requestLine: string | undefined;
  statisticsPage = false;
  /** The client never sent a byte (`option dontlognull`). */
  silent = false;
  #inBackend = false;
  #onServer = false;

  constructor(runtime: Runtime, frontend: ProxyFrontend, connection: Connection, began: Instant, beganMs: number) {
    this.#runtime = runtime;
    this.#frontend = frontend;
    this.#connection = connection;
    this.began = began;
    this.beganMs = beganMs;
  }

  enterBackend(backend: ProxyBackend): void {
    this.backend = backend;
    this.#inBackend = true;
    backend.counters.sessionBegins(this.#runtime.timers.now);
    backend.counters.lastSessionMs = this.#runtime.wallClockMs();
  }

  /** It has a place at this server, and keeps it through retries. */
  enterServer(server: ProxyServer): void {
    this.leaveServer();
    // What the client has sent is for this server now.
    if (this.server !== server) server.counters.bin += this.bytesIn;
    this.server = server;
    this.#onServer = true;
    server.counters.occupy();
  }

  /** A connection to the server is taken or attempted: each counts, as in HAProxy. */
  tryServer({ counters }: ProxyServer): void {
    counters.attempt(this.#runtime.timers.now);
    counters.lastSessionMs = this.#runtime.wallClockMs();
  }

  leaveServer(): void {
    if (this.#onServer) this.server?.counters.sessionEnds();
    this.#onServer = false;
  }

  countIn(bytes: number): void {
    this.bytesIn += bytes;
    this.#frontend.counters.bin += bytes;
    if (this.backend !== undefined) this.backend.counters.bin += bytes;
    if (this.server !== undefined) this.server.counters.bin += bytes;
  }

  countOut(bytes: number): void {
    this.bytesOut += bytes;
    this.#frontend.counters.bout += bytes;
    if (this.backend !== undefined) this.backend.counters.bout += bytes;
    if (this.server !== undefined) this.server.counters.bout += bytes;
  }

  terminate(cause: Cause, step: Step): void {
    if (this.termination === "--") this.termination = `${cause}${step}`;
  }

  /** Ends the stream in the figures; to be called once. */
  end(now: Instant): void {
    this.leaveServer();
    const { backend, server } = this;
    if (this.#inBackend) backend?.counters.sessionEnds();
    const cause = this.termination[0];
    const ofClient = cause === "C" || cause === "c";
    const ofServer = this.termination === "SD" || this.termination === "sD";
    this.#endIn(backend?.counters, now, ofClient, ofServer);
    this.#endIn(server?.counters, now, ofClient, ofServer);
    if (this.status < 0) return;
    this.#frontend.counters.response(this.status);
    backend?.counters.answered(this.status);
    // An answer that is ours is none of the server's.
    if (this.respondedAt !== undefined) server?.counters.answered(this.status);
  }

  #endIn(counters: ServingCounters | undefined, now: Instant, ofClient: boolean, ofServer: boolean): void {
    if (counters === undefined) return;
    if (ofClient) counters.cliAbrt++;
    if (ofServer) counters.srvAbrt++;
    const { requestAt, queuedUntil, connectedAt, respondedAt } = this;
    const served = this.#frontend.configuration.mode === "tcp" || respondedAt !== undefined;
    if (connectedAt !== undefined && served) {
      const connect = span(queuedUntil, connectedAt);
      counters.times(span(requestAt, queuedUntil), connect, span(connectedAt, respondedAt), elapsedMs(this.began, now));
    }
  }

  /** The short line says nothing of the end, so it is written at the beginning. */
  logBeginning(): void {
    const { logs, logFormat } = this.#frontend.configuration;
    if (logs.length > 0 && logFormat === "connect") {
      this.#runtime.log(logs, "info", logMessage(logFormat, this.#record(this.began)));
    }
  }

  log(now: Instant): void {
    const { logs, logFormat, dontLogNormal, dontLogNull } = this.#frontend.configuration;
    if (logs.length === 0 || logFormat === "connect") return;
    if (dontLogNormal && this.termination === "--" && this.retries === 0 && !this.redispatched && this.status < 500) {
      return;
    }
    if (dontLogNull && this.silent) return;
    this.#runtime.log(logs, "info", logMessage(logFormat, this.#record(now)));
  }

  #record(now: Instant): LogRecord {
    const { backend, server } = this;
    return {
      client: this.#connection.remote,
      local: this.#connection.local,
      startedMs: this.beganMs,
      frontend: this.#frontend.name,
      mode: this.#frontend.configuration.mode,
      backend: backend?.name ?? this.#frontend.name,
      server: this.statisticsPage ? "<STATS>" : (server?.name ?? "<NOSRV>"),
      timers: this.#timers(now),
      status: this.status,
      bytes: this.bytesOut,
      termination: this.termination + this.cookieState,
      connections: {
        process: this.#runtime.connections,
        frontend: this.#frontend.counters.scur,
        backend: backend?.counters.scur ?? 0,
        server: server?.counters.scur ?? 0,
      },
      retries: this.retries,
      redispatched: this.redispatched,
      serverQueue: this.serverQueue,
      backendQueue: this.backendQueue,
      requestLine: this.requestLine,
    };
  }

  #timers(now: Instant): LogTimers {
    const { began, requestAt, queuedUntil, connectedAt, respondedAt } = this;
    return {
      request: span(began, requestAt),
      queue: span(requestAt, queuedUntil),
      connect: span(queuedUntil, connectedAt),
      response: span(connectedAt, respondedAt),
      active: elapsedMs(began, now),
    };
  }
}

/** Milliseconds; −1 when either was never reached. */
const span = (from: Instant | undefined, to: Instant | undefined): number =>
  from === undefined || to === undefined ? -1 : elapsedMs(from, to);
