/**
 * Where outgoing heads and small bodies are put together, so that each message leaves in one write.
 *
 * Space is handed out once and never again: whoever still holds a view keeps its chunk alive, and nothing is overwritten.
 */

import type { HeaderList } from "../http/headers.ts";
import type { RequestHead, ResponseHead } from "../http/message.ts";
import { CHUNK_END, chunkHeader, lastChunk, writeRequestHead, writeResponseHead } from "../http/write.ts";
import type { Connection } from "./port.ts";

const CHUNK_BYTES = 64 * 1024;
/** Larger parts are handed on as they are: from here on copying costs more than a second buffer in the write. */
const COPY_LIMIT = 4096;

export class Slab {
  bytes = new Uint8Array(CHUNK_BYTES);
  used = 0;

  ensure(size: number): void {
    if (this.bytes.length - this.used >= size) return;
    this.bytes = new Uint8Array(Math.max(CHUNK_BYTES, size));
    this.used = 0;
  }
}

/** The outgoing side of a connection. Nothing is on its way before `flush`. */
export class Output {
  readonly #slab: Slab;
  readonly #connection: Connection;
  #chunk: Uint8Array | undefined;
  #from = 0;
  #to = 0;
  #corked = false;
  #blocked = false;

  constructor(slab: Slab, connection: Connection) {
    this.#slab = slab;
    this.#connection = connection;
  }

  /** The peer reads more slowly than is written; call `drained` when the connection says so. */
  get blocked(): boolean {
    return this.#blocked;
  }

  drained(): void {
    this.#blocked = false;
  }

  requestHead(head: RequestHead): void {
    const room = headRoom(head.headers) + head.method.length + head.target.length;
    this.#to = writeRequestHead(head, this.#room(room), this.#to);
    this.#slab.used = this.#to;
  }

  responseHead(head: ResponseHead): void {
    this.#to = writeResponseHead(head, this.#room(headRoom(head.headers) + head.reason.length), this.#to);
    this.#slab.used = this.#to;
  }

  data(bytes: Uint8Array): void {
    if (bytes.length <= COPY_LIMIT) {
      this.#room(bytes.length).set(bytes, this.#to);
      this.#to += bytes.length;
      this.#slab.used = this.#to;
      return;
    }
    if (this.#chunk !== undefined) {
      this.#cork();
      this.#send();
    }
    if (!this.#connection.write(bytes)) this.#blocked = true;
  }

  chunk(bytes: Uint8Array): void {
    this.data(chunkHeader(bytes.length));
    this.data(bytes);
    this.data(CHUNK_END);
  }

  lastChunk(trailers: HeaderList | undefined): void {
    this.data(lastChunk(trailers));
  }

  flush(): void {
    if (this.#chunk !== undefined) this.#send();
    if (!this.#corked) return;
    this.#corked = false;
    this.#connection.uncork();
  }

  /** A place in the slab's chunk where `size` more bytes fit right behind what is pending. */
  #room(size: number): Uint8Array {
    const slab = this.#slab;
    let chunk = this.#chunk;
    if (chunk !== slab.bytes || this.#to !== slab.used || chunk.length - this.#to < size) {
      if (chunk !== undefined) {
        this.#cork();
        this.#send();
      }
      slab.ensure(size);
      chunk = slab.bytes;
      this.#chunk = chunk;
      this.#from = slab.used;
      this.#to = slab.used;
    }
    return chunk;
  }

  #send(): void {
    const chunk = this.#chunk;
    this.#chunk = undefined;
    if (chunk === undefined || this.#to === this.#from) return;
    if (!this.#connection.write(chunk.subarray(this.#from, this.#to))) this.#blocked = true;
  }

  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#connection.cork();
  }
}

/** Enough for the fields with their separators and for what a start line has besides its variable words. */
function headRoom({ flat }: HeaderList): number {
  let room = 32 + 2 * flat.length;
  for (const text of flat) room += text.length;
  return room;
}
