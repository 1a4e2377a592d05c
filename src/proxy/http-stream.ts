/**
 * One request of a client: finds out who answers it, a server or the proxy itself, and sees to its end.
 *
 * configuration.txt `monitor-uri`, `stats`, `default_backend`, `errorfile`. What passes between client and server is
 * exchange.ts's. Every way to an end passes `#finish`.
 */

import { wantsToPersist } from "../http/connection.ts";
import type { HeaderList } from "../http/headers.ts";
import type { Framing, RequestHead } from "../http/message.ts";
import type { Problem } from "../http/problem.ts";
import { errorPage, type Page } from "./error-page.ts";
import { type ClientRequest, Exchange, type ExchangeOwner } from "./exchange.ts";
import type { HttpClient } from "./http-client.ts";
import { requestHeadSize } from "./htx-size.ts";
import { statisticsFor, writePage } from "./own-answer.ts";
import type { Cause, Step, StreamRecord } from "./stream-record.ts";

export class HttpStream implements ExchangeOwner {
  readonly #client: HttpClient;
  readonly #record: StreamRecord;
  readonly #request: ClientRequest;
  /** Undefined: the answer is our own. */
  #exchange: Exchange | undefined;
  #done = false;

  constructor(client: HttpClient, record: StreamRecord, head: RequestHead, framing: Framing) {
    this.#client = client;
    this.#record = record;
    this.#request = { head, framing, persists: wantsToPersist(head), complete: false };
  }

  get inTunnel(): boolean {
    return this.#exchange?.inTunnel === true;
  }

  get wantsRequest(): boolean {
    return this.#exchange?.wantsRequest === true;
  }

  start(): void {
    const { runtime, frontend, reader } = this.#client;
    const { counters } = frontend;
    const { head, framing } = this.#request;
    const now = runtime.timers.now;
    runtime.cumulativeRequests++;
    counters.reqTot++;
    counters.reqRate.hit(now);
    this.#record.requestLine = `${head.method} ${head.target} HTTP/${head.version}`;
    if (framing.kind === "none" || (framing.kind === "length" && framing.bytes === 0)) {
      reader.next();
      this.#request.complete = true;
    }
    if (frontend.configuration.monitorUri === head.target) {
      counters.intercepted++;
      this.#answer(errorPage(200, frontend.configuration.errorFiles), false);
      return;
    }
    this.#record.logBeginning();
    if (this.#serveStatistics()) return;
    const { backend } = frontend;
    if (backend === undefined) {
      this.#record.countIn(requestHeadSize(head));
      this.failed(503, "S", "C");
      return;
    }
    this.#record.requestAt = now;
    this.#exchange = new Exchange(this.#client, this.#record, this.#request, backend, this);
    this.#exchange.start();
  }

  requestData(bytes: Uint8Array): void {
    this.#exchange?.requestData(bytes);
  }

  requestEnd(trailers: HeaderList | undefined): void {
    this.#exchange?.requestEnd(trailers);
  }

  /** The body makes no sense, or the client left in the middle of it. */
  requestProblem(problem: Problem): void {
    if (problem.code === "incomplete-body") {
      this.#record.terminate("C", "D");
      this.cut(true);
      return;
    }
    this.#client.frontend.counters.ereq++;
    this.failed(400, "P", "D");
  }

  flushServer(): void {
    this.#exchange?.flushServer();
  }

  clientDrained(): void {
    this.#exchange?.clientDrained();
  }

  clientTimedOut(): void {
    this.failed(408, "c", "D");
  }

  clientClosed(): void {
    this.#record.terminate("C", this.#exchange?.step ?? "R");
    this.#finish(true);
  }

  /** For a hard stop. */
  shutDown(): void {
    this.#record.terminate("K", this.#exchange?.step ?? "R");
    this.#finish(true);
  }

  // ── the ends of an exchange ──

  answered(keepClient: boolean): void {
    this.#finish(true);
    this.#client.streamEnded(keepClient);
  }

  failed(status: number, cause: Cause, step: Step): void {
    const exchange = this.#exchange;
    const record = this.#record;
    record.terminate(cause, step);
    if (exchange?.begun === true) {
      this.cut(true);
      return;
    }
    record.status = status;
    if (exchange !== undefined) record.cookieState = exchange.ownCookieState;
    const { errorFiles } = (exchange?.backend ?? this.#client.frontend).configuration;
    this.#answer(errorPage(status, errorFiles), true);
  }

  /** The response cannot be completed, which the client learns from a connection that ends early. */
  cut(log: boolean): void {
    this.#finish(log);
    this.#client.close();
  }

  // ── answers of our own ──

  #serveStatistics(): boolean {
    const page = statisticsFor(this.#client, this.#record, this.#request.head);
    if (page === undefined) return false;
    const { runtime } = this.#client;
    const send = (answer: Page): void => {
      if (this.#done) return;
      runtime.timers.tick();
      this.#record.status = answer.head.status;
      this.#record.respondedAt = runtime.timers.now;
      this.#answer(answer, true);
      this.#client.pump();
    };
    if (page instanceof Promise) page.then(send);
    else send(page);
    return true;
  }

  #answer(page: Page, log: boolean): void {
    const { runtime, frontend } = this.#client;
    this.#skipBuffered();
    const mayKeep = frontend.configuration.connectionMode !== "close" && !runtime.stopping;
    const keep = this.#request.persists && mayKeep && this.#request.complete;
    writePage(this.#client, this.#record, this.#request.head, page, keep);
    this.#finish(log);
    this.#client.streamEnded(keep);
  }

  /** A body that is here already need not cost the client its connection. */
  #skipBuffered(): void {
    const { reader } = this.#client;
    while (!this.#request.complete) {
      const event = reader.next();
      if (event.kind === "end") this.#request.complete = true;
      else if (event.kind !== "data") return;
    }
  }

  #finish(log: boolean): void {
    if (this.#done) return;
    this.#done = true;
    this.#exchange?.release();
    const now = this.#client.runtime.timers.now;
    this.#record.end(now);
    if (log) this.#record.log(now);
  }
}
