/**
 * One client's connection in mode http: reads its requests one after the other and hands each to a stream.
 *
 * RFC 9112 §9.3; configuration.txt `timeout http-request`, `http-keep-alive`, `client`. Requests may come pipelined; the next
 * one is looked at when the one before it is answered.
 */

import { type Duration, type Instant, seconds } from "../base/time.ts";
import type { RequestHeadEvent } from "../http/event.ts";
import type { Problem } from "../http/problem.ts";
import { RequestReader } from "../http/request-reader.ts";
import { closingPage } from "./error-page.ts";
import type { ClientSession, ProxyFrontend } from "./frontend.ts";
import { HttpStream } from "./http-stream.ts";
import type { Connection, ConnectionHandler } from "./port.ts";
import { elapsedMs, type Runtime } from "./runtime.ts";
import { Output } from "./slab.ts";
import { StreamRecord } from "./stream-record.ts";
import { Timer, type TimerOwner } from "./timers.ts";

/** How long a client that was told to go may take: closing on unread bytes would reset what it has not read yet. */
const LINGER = seconds(1);

export class HttpClient implements ConnectionHandler, ClientSession, TimerOwner {
  readonly frontend: ProxyFrontend;
  readonly runtime: Runtime;
  readonly connection: Connection;
  readonly reader: RequestReader;
  readonly output: Output;
  /** Requests that were answered on this connection. */
  answered = 0;
  /** It will send no more. */
  hasEnded = false;
  readonly #timer = new Timer(this);
  readonly #timers: { readonly request: Duration | undefined; readonly idle: Duration | undefined };
  #stream: HttpStream | undefined;
  #acceptedAt = 0 as Instant;
  /** When the first byte of the request being read came. */
  #beganAt: Instant | undefined;
  #beganMs = 0;
  #pumping = false;
  #paused = false;
  #closing = false;

  constructor(frontend: ProxyFrontend, connection: Connection) {
    const { timeouts } = frontend.configuration;
    this.frontend = frontend;
    this.runtime = frontend.runtime;
    this.connection = connection;
    this.reader = new RequestReader(this.runtime.readerOptions);
    this.output = new Output(this.runtime.slab, connection);
    const request = timeouts.httpRequest ?? timeouts.client;
    this.#timers = { request, idle: timeouts.httpKeepAlive ?? request };
    connection.handler = this;
  }

  begin(): void {
    this.#acceptedAt = this.runtime.timers.now;
    this.runtime.timers.setAfter(this.#timer, this.#timers.request);
  }

  connected(): void {}

  received(bytes: Uint8Array): void {
    if (this.#closing) return;
    this.runtime.timers.tick();
    if (this.#stream === undefined && this.#beganAt === undefined) this.#requestBegins();
    this.reader.receive(bytes);
    this.pump();
  }

  ended(): void {
    this.runtime.timers.tick();
    this.hasEnded = true;
    if (this.#closing) return;
    this.reader.receiveEnd();
    this.pump();
  }

  drained(): void {
    this.runtime.timers.tick();
    this.output.drained();
    if (this.#closing) this.#linger();
    else if (this.#stream !== undefined) this.#stream.clientDrained();
    this.pump();
  }

  closed(): void {
    this.runtime.timers.tick();
    const stream = this.#stream;
    if (stream !== undefined) stream.clientClosed();
    else if (!this.#closing && (this.answered === 0 || this.#beganAt !== undefined)) this.#endUnread("C", 400, false);
    this.#closing = true;
    this.#stream = undefined;
    this.runtime.timers.drop(this.#timer);
    this.frontend.sessionEnded(this);
  }

  /** Reads on: the next request, or the body of the one under way as far as its server takes it. */
  pump(): void {
    if (this.#pumping || this.#closing) return;
    this.#pumping = true;
    while (this.#step());
    this.#pumping = false;
    if (this.#closing) return;
    this.#stream?.flushServer();
    this.output.flush();
    this.#updateReading();
    this.#updateTimer();
  }

  /** The stream has sent its last byte; it has logged itself. */
  streamEnded(keep: boolean): void {
    this.#stream = undefined;
    this.answered++;
    this.#beganAt = undefined;
    const { stopping, keepsIdle } = this.runtime;
    // A response that promised to keep the connection before the stop began is held to it.
    if (!keep || (stopping && !keepsIdle) || (this.hasEnded && this.reader.buffered === 0)) {
      this.close();
      return;
    }
    if (this.reader.buffered > 0) this.#requestBegins();
    this.pump();
  }

  /** Sends what is left, then FIN; whatever still comes is thrown away. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#stream = undefined;
    this.output.flush();
    this.connection.end();
    if (this.#paused) this.connection.resume();
    this.#linger();
  }

  /** Cuts the connection; what was not sent is lost. */
  abort(): void {
    this.#closing = true;
    this.#stream = undefined;
    this.connection.abort(false);
  }

  #linger(): void {
    const delay = this.connection.pending > 0 ? this.frontend.configuration.timeouts.client : LINGER;
    this.runtime.timers.setAfter(this.#timer, delay);
  }

  softStop(): void {
    if (this.#stream === undefined && this.#beganAt === undefined && this.answered > 0) this.close();
  }

  hardStop(): void {
    this.#stream?.shutDown();
    this.abort();
  }

  /** False: nothing more can be done now. */
  #step(): boolean {
    const stream = this.#stream;
    // A client that does not read its answers gets no further one; a body goes on, whoever is slow on the way back.
    if (this.#closing || !(stream?.wantsRequest ?? !this.output.blocked)) return false;
    const event = this.reader.next();
    switch (event.kind) {
      case "need-data":
        return false;
      case "closed":
        this.#closedBetweenRequests();
        return false;
      case "problem":
        if (stream === undefined) this.#refuse(event);
        else stream.requestProblem(event);
        return false;
      case "head":
        this.#startStream(event);
        return true;
      case "data":
        stream?.requestData(event.bytes);
        return true;
      case "end":
        stream?.requestEnd(event.trailers);
        return true;
      default:
        return event satisfies never;
    }
  }

  #startStream(event: RequestHeadEvent): void {
    const record = this.#record();
    const stream = new HttpStream(this, record, event.head, event.framing);
    this.#stream = stream;
    stream.start();
  }

  #record(): StreamRecord {
    if (this.#beganAt === undefined) this.#requestBegins();
    const began = this.#beganAt ?? this.#acceptedAt;
    return new StreamRecord(this.runtime, this.frontend, this.connection, began, this.#beganMs);
  }

  #requestBegins(): void {
    this.#beganAt = this.runtime.timers.now;
    this.#beganMs = this.runtime.wallClockMs();
    // The first request's time runs since the connection was accepted.
    if (this.answered > 0) this.runtime.timers.setAfter(this.#timer, this.#timers.request);
  }

  #refuse(problem: Problem): void {
    const gone = problem.code === "incomplete-head" || problem.code === "incomplete-body";
    // HAProxy has one answer to everything that it cannot read.
    const status = problem.status >= 500 ? problem.status : 400;
    this.#endUnread(gone ? "C" : "P", status, !gone);
  }

  /** The request never became one: answers with `status` and logs `<BADREQ>`. */
  #endUnread(cause: "C" | "P" | "c", status: number, answer: boolean): void {
    const { counters, configuration } = this.frontend;
    const silent = this.#beganAt === undefined;
    if (silent) {
      this.#beganAt = this.#acceptedAt;
      this.#beganMs = this.runtime.wallClockMs() - elapsedMs(this.#acceptedAt, this.runtime.timers.now);
    }
    const record = this.#record();
    record.status = status;
    record.terminate(cause, "R");
    record.silent = silent;
    counters.ereq++;
    counters.reqTot++;
    counters.reqRate.hit(this.runtime.timers.now);
    record.end(this.runtime.timers.now);
    record.log(this.runtime.timers.now);
    if (answer) this.output.data(closingPage(status, configuration.errorFiles));
    this.close();
  }

  #closedBetweenRequests(): void {
    if (this.answered > 0) {
      this.close();
      return;
    }
    this.#endUnread("C", 400, false);
  }

  /** Bytes that cannot be used yet stay with the kernel; otherwise reading goes on, to see the client leave. */
  #updateReading(): void {
    const pause = this.reader.buffered > 0;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.connection.pause();
    else this.connection.resume();
  }

  #updateTimer(): void {
    const { timers } = this.runtime;
    const { timeouts } = this.frontend.configuration;
    const stream = this.#stream;
    if (stream === undefined) {
      if (this.output.blocked) timers.setAfter(this.#timer, timeouts.client);
      else if (this.#beganAt === undefined && this.answered > 0) timers.setAfter(this.#timer, this.#timers.idle);
      return;
    }
    if (stream.inTunnel) {
      timers.set(this.#timer, undefined);
    } else if (this.output.blocked || stream.wantsRequest) {
      timers.setAfter(this.#timer, timeouts.client);
    } else timers.set(this.#timer, undefined);
  }

  timerExpired(): void {
    if (this.#closing) {
      this.connection.abort(false);
      return;
    }
    const stream = this.#stream;
    if (stream !== undefined) {
      stream.clientTimedOut();
    } else if (this.output.blocked) {
      this.abort();
    } else if (this.#beganAt === undefined && this.answered > 0) {
      this.close();
    } else {
      this.#endUnread("c", 408, true);
    }
  }
}
