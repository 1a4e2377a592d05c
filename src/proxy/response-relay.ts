/**
 * A server's response on its way to the client: which fields, which framing, what is counted, what it means for the cookie and
 * for both connections.
 *
 * RFC 9110 §7.6, RFC 9112 §6 and §9; configuration.txt `cookie`. Is given events of a reader and writes to the client's
 * output; reads from no connection and ends none.
 */

import { combinedMode, type Persistence, persistence, prepareResponse } from "../http/connection.ts";
import type { ResponseHeadEvent } from "../http/event.ts";
import type { HeaderList } from "../http/headers.ts";
import type { Framing, ResponseHead } from "../http/message.ts";
import type { Affinity } from "./affinity.ts";
import type { Dial } from "./dial.ts";
import type { ClientRequest } from "./exchange.ts";
import type { HttpClient } from "./http-client.ts";
import { bodyEndSize, responseHeadSize } from "./htx-size.ts";
import type { StreamRecord } from "./stream-record.ts";

/** A server that goes on with 1xx for ever is not about to answer. */
const MOST_INTERIMS = 1000;

export class ResponseRelay {
  readonly #client: HttpClient;
  readonly #record: StreamRecord;
  readonly #request: ClientRequest;
  readonly #dial: Dial;
  readonly #affinity: Affinity;
  #framing: Framing = { kind: "none" };
  #persistence: Persistence | undefined;
  #interims = 0;

  constructor(client: HttpClient, record: StreamRecord, request: ClientRequest, dial: Dial, affinity: Affinity) {
    this.#client = client;
    this.#record = record;
    this.#request = request;
    this.#dial = dial;
    this.#affinity = affinity;
  }

  /** It ends when the server's connection does. */
  get endless(): boolean {
    return this.#framing.kind === "until-close" || this.#framing.kind === "tunnel";
  }

  get keepsClient(): boolean {
    return this.#persistence?.keepClient === true;
  }

  get keepsServer(): boolean {
    return this.#persistence?.keepServer === true;
  }

  /** False: that was one too many. */
  interim(head: ResponseHead): boolean {
    if (++this.#interims > MOST_INTERIMS) return false;
    this.#record.countOut(responseHeadSize(head));
    // RFC 9110 §15.2: HTTP/1.0 knows no 1xx.
    if (this.#request.head.version === "1.1") this.#client.output.responseHead(head);
    return true;
  }

  head({ head, framing }: ResponseHeadEvent): void {
    const { frontend, runtime, output } = this.#client;
    const { method, version } = this.#request.head;
    const dial = this.#dial;
    const record = this.#record;
    record.respondedAt = runtime.timers.now;
    record.status = head.status;
    record.countOut(responseHeadSize(head));
    record.cookieState = this.#affinity.answer(head, method, dial.direct !== undefined, dial.server);
    const mode = combinedMode(frontend.configuration.connectionMode, dial.backend.configuration.connectionMode);
    const kept = persistence({
      mode: runtime.stopping ? "close" : mode,
      clientPersists: this.#request.persists,
      clientVersion: version,
      response: head,
      responseFraming: framing,
    });
    this.#persistence = kept;
    this.#framing = framing;
    prepareResponse(head, { version, persistence: kept });
    output.responseHead(head);
  }

  data(bytes: Uint8Array): void {
    const { output } = this.#client;
    this.#record.countOut(bytes.length);
    if (this.#persistence?.clientFraming.kind === "chunked") output.chunk(bytes);
    else output.data(bytes);
  }

  end(trailers: HeaderList | undefined): void {
    if (this.#framing.kind === "chunked") this.#record.countOut(bodyEndSize(trailers));
    if (this.#persistence?.clientFraming.kind === "chunked") this.#client.output.lastChunk(trailers);
  }
}
