/**
 * One request and its response: sends the request to a server and brings back the answer, or makes one.
 *
 * RFC 9110 §7, RFC 9112; configuration.txt `timeout server`, `tunnel`, `monitor-uri`. Bytes go through as they come: at most
 * what one read brought is held back while the other side is slow. Every way to an end passes `#finish`.
 */

import { asksUpgrade, combinedMode, prepareRequest, wantsToPersist } from "../http/connection.ts";
import type { HeaderList } from "../http/headers.ts";
import type { Framing, RequestHead } from "../http/message.ts";
import type { Problem } from "../http/problem.ts";
import { Affinity } from "./affinity.ts";
import type { ProxyBackend } from "./backend.ts";
import { Dial, type DialOwner } from "./dial.ts";
import { errorPage, type Page } from "./error-page.ts";
import { addForwardedFor } from "./forwarded-for.ts";
import type { HttpClient } from "./http-client.ts";
import { bodyEndSize, requestHeadSize } from "./htx-size.ts";
import { statisticsFor, writePage } from "./own-answer.ts";
import { ResponseRelay } from "./response-relay.ts";
import { tunnelTimeout } from "./runtime.ts";
import type { ServerConnection } from "./server-connection.ts";
import type { Cause, Step, StreamRecord } from "./stream-record.ts";

/** `local`: the answer is our own. */
type Phase = "start" | "dialing" | "waiting" | "responding" | "tunnel" | "local" | "done";

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

export class HttpStream implements DialOwner {
  readonly #client: HttpClient;
  readonly #record: StreamRecord;
  readonly #head: RequestHead;
  readonly #requestFraming: Framing;
  readonly #clientPersists: boolean;
  #phase: Phase = "start";
  #dial: Dial | undefined;
  /** The request, or the client's direction of a tunnel, has ended. */
  #requestComplete = false;
  /** Something of the body has left: the request cannot be sent a second time. */
  #bodySent = false;
  #affinity: Affinity | undefined;
  readonly #response: ResponseRelay;
  /** In a tunnel: the server sends no more. */
  #serverEnded = false;

  constructor(client: HttpClient, record: StreamRecord, head: RequestHead, framing: Framing) {
    this.#client = client;
    this.#record = record;
    this.#head = head;
    this.#requestFraming = framing;
    this.#clientPersists = wantsToPersist(head);
    this.#response = new ResponseRelay(client, record, head, this.#clientPersists);
  }

  get inTunnel(): boolean {
    return this.#phase === "tunnel";
  }

  /** More of the request, or of what the client sends into the tunnel, can be used now. */
  get wantsRequest(): boolean {
    if (this.#requestComplete) return false;
    const forwards = this.#phase === "waiting" || this.#phase === "responding" || this.#phase === "tunnel";
    return forwards && this.#dial?.connection?.output.blocked === false;
  }

  /** `http-reuse safe`: a client's first request gets a connection of its own, which no server is just about to close. */
  get reuse(): DialOwner["reuse"] {
    const first = this.#client.answered === 0;
    switch (this.#dial?.backend.configuration.httpReuse) {
      case "safe":
        return first ? "none" : "any";
      case "aggressive":
        return first ? "proven" : "any";
      case "always":
        return "any";
      default:
        return "none";
    }
  }

  start(): void {
    const { runtime, frontend, reader } = this.#client;
    const { counters } = frontend;
    const head = this.#head;
    const now = runtime.timers.now;
    runtime.cumulativeRequests++;
    counters.reqTot++;
    counters.reqRate.hit(now);
    this.#record.requestLine = `${head.method} ${head.target} HTTP/${head.version}`;
    const framing = this.#requestFraming;
    if (framing.kind === "none" || (framing.kind === "length" && framing.bytes === 0)) {
      reader.next();
      this.#requestComplete = true;
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
      this.#fail(503, "S", "C");
      return;
    }
    this.#record.requestAt = now;
    this.#enterBackend(backend);
  }

  requestData(bytes: Uint8Array): void {
    const output = this.#dial?.connection?.output;
    this.#bodySent = true;
    this.#record.countIn(bytes.length);
    if (this.#requestFraming.kind === "chunked" && this.#phase !== "tunnel") output?.chunk(bytes);
    else output?.data(bytes);
    this.#serverActive();
  }

  requestEnd(trailers: HeaderList | undefined): void {
    this.#requestComplete = true;
    if (this.#phase === "tunnel") {
      this.#clientEndedTunnel();
      return;
    }
    if (this.#requestFraming.kind === "chunked") {
      this.#record.countIn(bodyEndSize(trailers));
      this.#dial?.connection?.output.lastChunk(trailers);
    }
    this.#serverActive();
  }

  /** The body makes no sense, or the client left in the middle of it. */
  requestProblem(problem: Problem): void {
    if (problem.code === "incomplete-body") {
      this.#record.terminate("C", "D");
      this.#cut();
      return;
    }
    this.#client.frontend.counters.ereq++;
    this.#failOrCut(400, "P", "D");
  }

  flushServer(): void {
    this.#dial?.connection?.output.flush();
  }

  clientDrained(): void {
    this.#pumpResponse();
  }

  clientTimedOut(): void {
    this.#failOrCut(408, "c", "D");
  }

  clientClosed(): void {
    this.#record.terminate("C", this.#step());
    this.#finish();
  }

  /** For a hard stop. */
  shutDown(): void {
    this.#record.terminate("K", this.#step());
    this.#finish();
  }

  serverDied(): void {
    this.#failOrCut(this.#phase === "waiting" ? 502 : 503, "D", this.#step());
  }

  // ── to the server ──

  #enterBackend(backend: ProxyBackend): void {
    const { runtime, frontend, connection } = this.#client;
    const { configuration } = backend;
    const head = this.#head;
    this.#record.enterBackend(backend);
    this.#record.countIn(requestHeadSize(head));
    this.#dial = new Dial(runtime, backend, this.#record, connection, this);
    this.#affinity = new Affinity(backend, head.headers);
    prepareRequest(head, combinedMode(frontend.configuration.connectionMode, configuration.connectionMode));
    const client = connection.remote.address;
    addForwardedFor(head.headers, client, frontend.configuration.forwardFor, configuration.forwardFor);
    this.#phase = "dialing";
    this.#dial.start(this.#affinity.direct);
  }

  dialed(connection: ServerConnection): void {
    const head = this.#head;
    this.#phase = "waiting";
    connection.reader.expect({ method: head.method, upgrade: asksUpgrade(head) });
    connection.output.requestHead(head);
    this.#serverActive();
    this.#client.pump();
    // While the client's own pump runs it flushes at its end, together with what came of the body.
    if (this.#requestComplete) connection.output.flush();
  }

  dialFailed(cause: Cause, step: Step): void {
    this.#fail(503, cause, step);
    this.#client.pump();
  }

  // Only after `dialed`: until then the dial is the user of the connection.
  serverConnected(): void {}

  serverReceived(bytes: Uint8Array): void {
    this.#dial?.connection?.reader.receive(bytes);
    this.#pumpResponse();
  }

  serverEnded(): void {
    this.#dial?.connection?.reader.receiveEnd();
    this.#pumpResponse();
  }

  serverDrained(): void {
    this.#serverActive();
    this.#client.pump();
  }

  serverClosed(reason: string | undefined): void {
    if (reason !== undefined && this.#response.endless) {
      this.#record.terminate("S", "D");
      this.#cut();
      return;
    }
    this.serverEnded();
  }

  // ── the response ──

  #pumpResponse(): void {
    const dial = this.#dial;
    const connection = dial?.connection;
    const { output } = this.#client;
    if (dial === undefined || connection === undefined) return;
    while (dial.connection === connection && this.#readsResponse() && !output.blocked) {
      const event = connection.reader.next();
      if (event.kind === "need-data") break;
      switch (event.kind) {
        case "interim":
          if (!this.#response.interim(event.head)) this.#responseFailed("P");
          break;
        case "head":
          this.#response.head(event, dial, this.#affinity);
          if (event.framing.kind === "tunnel") this.#openTunnel(connection);
          else this.#phase = "responding";
          break;
        case "data":
          this.#response.data(event.bytes);
          break;
        case "end":
          this.#responseEnd(event.trailers, connection);
          break;
        case "closed":
          this.#noResponse();
          break;
        case "problem":
          this.#responseFailed(event.code === "incomplete-head" || event.code === "incomplete-body" ? "S" : "P");
          break;
        default:
          event satisfies never;
      }
    }
    if (dial.connection !== connection) return;
    output.flush();
    this.#serverActive();
    connection.pause(connection.reader.buffered > 0);
    // What waits for the client now decides on its time-out.
    this.#client.pump();
  }

  #readsResponse(): boolean {
    if (this.#phase === "tunnel") return !this.#serverEnded;
    return this.#phase === "waiting" || this.#phase === "responding";
  }

  #responseEnd(trailers: HeaderList | undefined, connection: ServerConnection): void {
    if (this.#phase === "tunnel") {
      this.#serverEndedTunnel();
      return;
    }
    this.#response.end(trailers);
    const complete = this.#requestComplete;
    this.#dial?.giveBack(complete && this.#response.keepsServer && this.#mayPool(connection));
    this.#finish();
    this.#client.streamEnded(complete && this.#response.keepsClient);
  }

  #mayPool({ hasEnded, isClosed, reader, output, server }: ServerConnection): boolean {
    if (hasEnded || isClosed || reader.buffered > 0 || output.blocked) return false;
    if (server.configuration.sendProxy !== undefined || !server.status.up) return false;
    return this.#dial?.backend.configuration.httpReuse !== "never" && !this.#client.runtime.stopping;
  }

  /** The server closed before the first byte of an answer. */
  #noResponse(): void {
    const dial = this.#dial;
    if (dial?.reused !== true) {
      this.#countResponseError();
      this.#fail(502, "S", "H");
      return;
    }
    // It may have closed the idle connection before it saw the request.
    if (IDEMPOTENT.has(this.#head.method) && !this.#bodySent) {
      this.#phase = "dialing";
      dial.redial();
      return;
    }
    // Not ours to repeat (RFC 9110 §9.2.2): a closed connection tells the client to decide, as HAProxy does.
    this.#finish(false);
    this.#client.close();
  }

  /** It makes no sense, or ends too early. */
  #responseFailed(cause: "S" | "P"): void {
    this.#countResponseError();
    this.#failOrCut(502, cause, this.#step());
  }

  #countResponseError(): void {
    if (this.#dial === undefined) return;
    this.#dial.backend.counters.eresp++;
    if (this.#dial.server !== undefined) this.#dial.server.counters.eresp++;
  }

  // ── tunnel ──

  #openTunnel(connection: ServerConnection): void {
    this.#phase = "tunnel";
    if (!this.#requestComplete) {
      // The protocol switched in the middle of a body that nobody will read as one.
      this.#record.terminate("P", "H");
      this.#cut();
      return;
    }
    this.#requestComplete = false;
    this.#client.reader.tunnel();
    connection.output.flush();
  }

  #clientEndedTunnel(): void {
    const connection = this.#dial?.connection;
    connection?.output.flush();
    if (this.#serverEnded) this.#tunnelEnded();
    else connection?.connection.end();
    this.#serverActive();
  }

  #serverEndedTunnel(): void {
    this.#serverEnded = true;
    this.#client.output.flush();
    if (this.#requestComplete) this.#tunnelEnded();
    else this.#client.connection.end();
  }

  #tunnelEnded(): void {
    this.#finish();
    this.#client.close();
  }

  // ── answers of our own ──

  #serveStatistics(): boolean {
    const page = statisticsFor(this.#client, this.#record, this.#head);
    if (page === undefined) return false;
    const { runtime } = this.#client;
    this.#phase = "local";
    const send = (answer: Page): void => {
      if (this.#phase !== "local") return;
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

  #failOrCut(status: number, cause: Cause, step: Step): void {
    this.#record.terminate(cause, step);
    if (this.#phase === "responding" || this.#phase === "tunnel") this.#cut();
    else this.#fail(status, cause, step);
  }

  /** Ends with a page; nothing of a response has been sent yet. */
  #fail(status: number, cause: Cause, step: Step): void {
    const backend = this.#dial?.backend;
    this.#record.terminate(cause, step);
    this.#record.status = status;
    const cookieState = this.#affinity?.ownAnswer(this.#dial?.direct !== undefined);
    if (cookieState !== undefined) this.#record.cookieState = cookieState;
    this.#answer(errorPage(status, (backend ?? this.#client.frontend).configuration.errorFiles), true);
  }

  #answer(page: Page, log: boolean): void {
    const { runtime, frontend } = this.#client;
    this.#skipBuffered();
    const mayKeep = frontend.configuration.connectionMode !== "close" && !runtime.stopping;
    const keep = this.#clientPersists && mayKeep && this.#requestComplete;
    writePage(this.#client, this.#record, this.#head, page, keep);
    this.#finish(log);
    this.#client.streamEnded(keep);
  }

  /** A body that is here already need not cost the client its connection. */
  #skipBuffered(): void {
    const { reader } = this.#client;
    while (!this.#requestComplete) {
      const event = reader.next();
      if (event.kind === "end") this.#requestComplete = true;
      else if (event.kind !== "data") return;
    }
  }

  // ── time and ends ──

  timerExpired(): void {
    if (this.#phase === "waiting" || this.#phase === "responding") this.#countResponseError();
    this.#failOrCut(504, "s", this.#step());
  }

  /** Something went to or came from the server: its time starts again. */
  #serverActive(): void {
    const dial = this.#dial;
    if (dial === undefined) return;
    const { timeouts } = dial.backend.configuration;
    if (this.#phase === "tunnel") {
      const { client, clientFin } = this.#client.frontend.configuration.timeouts;
      const half = this.#serverEnded ? clientFin : this.#requestComplete ? timeouts.serverFin : undefined;
      dial.setTimer(half ?? tunnelTimeout(timeouts.tunnel, client, timeouts.server));
    } else if (this.#phase === "waiting" || this.#phase === "responding") {
      // A server whose answer waits for the client is not the one that is late.
      dial.setTimer(this.#client.output.blocked ? undefined : timeouts.server);
    }
  }

  #step(): Step {
    switch (this.#phase) {
      case "dialing":
        return this.#dial?.step ?? "C";
      case "waiting":
        return "H";
      case "responding":
      case "tunnel":
        return "D";
      case "start":
      case "local":
      case "done":
        return "R";
      default:
        return this.#phase satisfies never;
    }
  }

  /** The response cannot be completed, which the client learns from a connection that ends early. */
  #cut(): void {
    this.#finish();
    this.#client.close();
  }

  #finish(log = true): void {
    if (this.#phase === "done") return;
    this.#phase = "done";
    this.#dial?.release();
    const now = this.#client.runtime.timers.now;
    this.#record.end(now);
    if (log) this.#record.log(now);
  }
}
