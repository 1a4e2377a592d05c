/**
 * A request and its response between one client and one server: sends the request as it comes, brings back the answer, and
 * carries bytes both ways when the protocol is switched.
 *
 * RFC 9110 §7, RFC 9112; configuration.txt `http-reuse`, `timeout server`, `tunnel`. Bytes go through as they come: at most
 * what one read brought is held back while the other side is slow. Makes no answer of its own: its owner does.
 */

import { asksUpgrade, combinedMode, prepareRequest } from "../http/connection.ts";
import type { HeaderList } from "../http/headers.ts";
import type { Framing, RequestHead } from "../http/message.ts";
import { Affinity } from "./affinity.ts";
import type { ProxyBackend } from "./backend.ts";
import { Dial, type DialOwner } from "./dial.ts";
import { addForwardedFor } from "./forwarded-for.ts";
import type { HttpClient } from "./http-client.ts";
import { bodyEndSize, requestHeadSize } from "./htx-size.ts";
import { ResponseRelay } from "./response-relay.ts";
import { tunnelTimeout } from "./runtime.ts";
import type { ServerConnection } from "./server-connection.ts";
import type { Cause, Step, StreamRecord } from "./stream-record.ts";

/** What a client asks, while it is being read. */
export interface ClientRequest {
  readonly head: RequestHead;
  readonly framing: Framing;
  /** The client keeps its connection open afterwards. */
  readonly persists: boolean;
  /** The request, or the client's direction of a tunnel, has ended. */
  complete: boolean;
}

export interface ExchangeOwner {
  /** The response has gone out whole. */
  answered(keepClient: boolean): void;
  /** There will be no response from the server, or no end of it. `status`: what may be said instead, if nothing was yet. */
  failed(status: number, cause: Cause, step: Step): void;
  /** Nothing can be said but that the connection ends. */
  cut(log: boolean): void;
}

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

export class Exchange implements DialOwner {
  readonly backend: ProxyBackend;
  readonly #client: HttpClient;
  readonly #record: StreamRecord;
  readonly #request: ClientRequest;
  readonly #owner: ExchangeOwner;
  readonly #dial: Dial;
  readonly #affinity: Affinity;
  readonly #response: ResponseRelay;
  #phase: "dialing" | "waiting" | "responding" | "tunnel" | "done" = "dialing";
  /** Something of the body has left: the request cannot be sent a second time. */
  #bodySent = false;
  /** In a tunnel: the server sends no more. */
  #serverEnded = false;

  constructor(
    client: HttpClient,
    record: StreamRecord,
    request: ClientRequest,
    backend: ProxyBackend,
    owner: ExchangeOwner,
  ) {
    const { headers } = request.head;
    this.backend = backend;
    this.#client = client;
    this.#record = record;
    this.#request = request;
    this.#owner = owner;
    record.enterBackend(backend);
    record.countIn(requestHeadSize(request.head));
    this.#dial = new Dial(client.runtime, backend, record, client.connection, this);
    this.#affinity = new Affinity(backend, headers);
    const ours = client.frontend.configuration;
    const theirs = backend.configuration;
    prepareRequest(request.head, combinedMode(ours.connectionMode, theirs.connectionMode));
    addForwardedFor(headers, client.connection.remote.address, ours.forwardFor, theirs.forwardFor);
    this.#response = new ResponseRelay(client, record, request, this.#dial, this.#affinity);
  }

  start(): void {
    this.#dial.start(this.#affinity.direct);
  }

  /** Lets go of the server. */
  release(): void {
    this.#phase = "done";
    this.#dial.release();
  }

  get inTunnel(): boolean {
    return this.#phase === "tunnel";
  }

  /** Something of the response has gone to the client. */
  get begun(): boolean {
    return this.#phase === "responding" || this.#phase === "tunnel";
  }

  get step(): Step {
    switch (this.#phase) {
      case "dialing":
        return this.#dial.step;
      case "waiting":
        return "H";
      case "responding":
      case "tunnel":
        return "D";
      case "done":
        return "R";
      default:
        return this.#phase satisfies never;
    }
  }

  /** The letters of the cookie when the answer is not the server's. */
  get ownCookieState(): string {
    return this.#affinity.ownAnswer(this.#dial.direct !== undefined);
  }

  /** More of the request, or of what the client sends into the tunnel, can be used now. */
  get wantsRequest(): boolean {
    if (this.#request.complete) return false;
    const forwards = this.#phase === "waiting" || this.begun;
    return forwards && this.#dial.connection?.output.blocked === false;
  }

  /** `http-reuse safe`: a client's first request gets a connection of its own, which no server is just about to close. */
  get reuse(): DialOwner["reuse"] {
    const first = this.#client.answered === 0;
    switch (this.backend.configuration.httpReuse) {
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

  // ── the client ──

  requestData(bytes: Uint8Array): void {
    const output = this.#dial.connection?.output;
    this.#bodySent = true;
    this.#record.countIn(bytes.length);
    if (this.#request.framing.kind === "chunked" && this.#phase !== "tunnel") output?.chunk(bytes);
    else output?.data(bytes);
    this.#serverActive();
  }

  requestEnd(trailers: HeaderList | undefined): void {
    this.#request.complete = true;
    if (this.#phase === "tunnel") {
      this.#clientEndedTunnel();
      return;
    }
    if (this.#request.framing.kind === "chunked") {
      this.#record.countIn(bodyEndSize(trailers));
      this.#dial.connection?.output.lastChunk(trailers);
    }
    this.#serverActive();
  }

  flushServer(): void {
    this.#dial.connection?.output.flush();
  }

  clientDrained(): void {
    this.#pumpResponse();
  }

  // ── the server ──

  dialed(connection: ServerConnection): void {
    const { head } = this.#request;
    this.#phase = "waiting";
    connection.reader.expect({ method: head.method, upgrade: asksUpgrade(head) });
    connection.output.requestHead(head);
    this.#serverActive();
    this.#client.pump();
    // While the client's own pump runs it flushes at its end, together with what came of the body.
    if (this.#request.complete) connection.output.flush();
  }

  dialFailed(cause: Cause, step: Step): void {
    this.#owner.failed(503, cause, step);
    this.#client.pump();
  }

  serverDied(): void {
    this.#owner.failed(this.#phase === "waiting" ? 502 : 503, "D", this.step);
  }

  // Only after `dialed`: until then the dial is the user of the connection.
  serverConnected(): void {}

  serverReceived(bytes: Uint8Array): void {
    this.#dial.connection?.reader.receive(bytes);
    this.#pumpResponse();
  }

  serverEnded(): void {
    this.#dial.connection?.reader.receiveEnd();
    this.#pumpResponse();
  }

  serverDrained(): void {
    this.#serverActive();
    this.#client.pump();
  }

  serverClosed(reason: string | undefined): void {
    if (reason !== undefined && this.#response.endless) {
      this.#owner.failed(502, "S", "D");
      return;
    }
    this.serverEnded();
  }

  // ── the response ──

  #pumpResponse(): void {
    const dial = this.#dial;
    const { connection } = dial;
    const { output } = this.#client;
    if (connection === undefined) return;
    while (dial.connection === connection && this.#readsResponse() && !output.blocked) {
      const event = connection.reader.next();
      if (event.kind === "need-data") break;
      switch (event.kind) {
        case "interim":
          if (!this.#response.interim(event.head)) this.#responseFailed("P");
          break;
        case "head":
          this.#response.head(event);
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
    const complete = this.#request.complete;
    this.#dial.giveBack(complete && this.#response.keepsServer && this.#mayPool(connection));
    this.#owner.answered(complete && this.#response.keepsClient);
  }

  #mayPool({ hasEnded, isClosed, reader, output, server }: ServerConnection): boolean {
    if (hasEnded || isClosed || reader.buffered > 0 || output.blocked) return false;
    if (server.configuration.sendProxy !== undefined || !server.status.up) return false;
    return this.backend.configuration.httpReuse !== "never" && !this.#client.runtime.stopping;
  }

  /** The server closed before the first byte of an answer. */
  #noResponse(): void {
    if (!this.#dial.reused) {
      this.#countResponseError();
      this.#owner.failed(502, "S", "H");
      return;
    }
    // It may have closed the idle connection before it saw the request.
    if (IDEMPOTENT.has(this.#request.head.method) && !this.#bodySent) {
      this.#phase = "dialing";
      this.#dial.redial();
      return;
    }
    // Not ours to repeat (RFC 9110 §9.2.2): a closed connection tells the client to decide, as HAProxy does.
    this.#owner.cut(false);
  }

  /** It makes no sense, or ends too early. */
  #responseFailed(cause: "S" | "P"): void {
    this.#countResponseError();
    this.#owner.failed(502, cause, this.step);
  }

  #countResponseError(): void {
    this.backend.counters.eresp++;
    if (this.#dial.server !== undefined) this.#dial.server.counters.eresp++;
  }

  // ── tunnel ──

  #openTunnel(connection: ServerConnection): void {
    this.#phase = "tunnel";
    if (!this.#request.complete) {
      // The protocol switched in the middle of a body that nobody will read as one.
      this.#owner.failed(502, "P", "H");
      return;
    }
    this.#request.complete = false;
    this.#client.reader.tunnel();
    connection.output.flush();
  }

  #clientEndedTunnel(): void {
    const connection = this.#dial.connection;
    connection?.output.flush();
    if (this.#serverEnded) this.#owner.answered(false);
    else connection?.connection.end();
    this.#serverActive();
  }

  #serverEndedTunnel(): void {
    this.#serverEnded = true;
    this.#client.output.flush();
    if (this.#request.complete) this.#owner.answered(false);
    else this.#client.connection.end();
  }

  // ── time ──

  timerExpired(): void {
    if (this.#phase === "waiting" || this.#phase === "responding") this.#countResponseError();
    this.#owner.failed(504, "s", this.step);
  }

  /** Something went to or came from the server: its time starts again. */
  #serverActive(): void {
    const dial = this.#dial;
    const { timeouts } = this.backend.configuration;
    if (this.#phase === "tunnel") {
      const { client, clientFin } = this.#client.frontend.configuration.timeouts;
      const half = this.#serverEnded ? clientFin : this.#request.complete ? timeouts.serverFin : undefined;
      dial.setTimer(half ?? tunnelTimeout(timeouts.tunnel, client, timeouts.server));
    } else if (this.#phase === "waiting" || this.#phase === "responding") {
      // A server whose answer waits for the client is not the one that is late.
      dial.setTimer(this.#client.output.blocked ? undefined : timeouts.server);
    }
  }
}
