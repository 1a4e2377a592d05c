/**
 * One connection in mode tcp: bytes both ways between a client and the server chosen for it.
 *
 * configuration.txt `mode tcp`, `timeout client|server|tunnel|client-fin|server-fin`. A half that ends is ended on the other
 * side; the rest goes on until both have, or a time-out.
 */

import { seconds } from "../base/time.ts";
import { Dial, type DialOwner } from "./dial.ts";
import type { ClientSession, ProxyFrontend } from "./frontend.ts";
import type { Connection, ConnectionHandler } from "./port.ts";
import { type Runtime, tunnelTimeout } from "./runtime.ts";
import type { ServerConnection } from "./server-connection.ts";
import { type Cause, type Step, StreamRecord } from "./stream-record.ts";
import { Timer, type TimerOwner } from "./timers.ts";

/** How long a client may take to close its half when all is said. */
const LINGER = seconds(1);

export class TcpStream implements ClientSession, ConnectionHandler, DialOwner {
  readonly reuse = "none";
  readonly #frontend: ProxyFrontend;
  readonly #runtime: Runtime;
  readonly #client: Connection;
  readonly #record: StreamRecord;
  readonly #clientTimer: Timer;
  #dial: Dial | undefined;
  #server: ServerConnection | undefined;
  /** What the client sent before there was a server; the client is not read from until it is gone. */
  #early: Uint8Array | undefined;
  #clientPaused = false;
  #clientEnded = false;
  #serverEnded = false;
  #serverBlocked = false;
  #clientBlocked = false;
  #done = false;

  constructor(frontend: ProxyFrontend, client: Connection) {
    const { runtime } = frontend;
    this.#frontend = frontend;
    this.#runtime = runtime;
    this.#client = client;
    this.#record = new StreamRecord(runtime, frontend, client, runtime.timers.now, runtime.wallClockMs());
    const clientTimeout: TimerOwner = { timerExpired: () => this.#timedOut("c") };
    this.#clientTimer = new Timer(clientTimeout);
    client.handler = this;
  }

  begin(): void {
    const { backend } = this.#frontend;
    this.#record.requestAt = this.#record.began;
    this.#record.logBeginning();
    if (backend === undefined) {
      this.dialFailed("S", "C");
      return;
    }
    this.#record.enterBackend(backend);
    this.#dial = new Dial(this.#runtime, backend, this.#record, this.#client, this);
    this.#dial.start(undefined);
  }

  // ── the client ──

  connected(): void {}

  received(bytes: Uint8Array): void {
    if (this.#done) return;
    this.#runtime.timers.tick();
    const server = this.#server;
    this.#record.countIn(bytes.length);
    if (server === undefined) {
      this.#early = bytes;
      this.#pauseClient(true);
      return;
    }
    this.#toServer(bytes);
  }

  ended(): void {
    this.#runtime.timers.tick();
    this.#clientEnded = true;
    if (this.#done) return;
    this.#server?.connection.end();
    this.#finishWhenBothEnded();
    this.#active();
  }

  drained(): void {
    this.#runtime.timers.tick();
    this.#clientBlocked = false;
    this.#server?.pause(false);
    this.#active();
  }

  closed(reason: string | undefined): void {
    this.#runtime.timers.tick();
    if (!this.#done && (reason !== undefined || !this.#clientEnded || !this.#serverEnded)) {
      this.#record.terminate("C", this.#step());
    }
    this.#finish();
    this.#runtime.timers.drop(this.#clientTimer);
    this.#frontend.sessionEnded(this);
  }

  // ── the server ──

  dialed(connection: ServerConnection): void {
    this.#server = connection;
    connection.output.flush();
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) this.#toServer(early);
    if (this.#clientEnded) connection.connection.end();
    if (!this.#serverBlocked) this.#pauseClient(false);
    this.#active();
  }

  dialFailed(cause: Cause, step: Step): void {
    this.#record.terminate(cause, step);
    this.#finish();
  }

  serverConnected(): void {}

  serverReceived(bytes: Uint8Array): void {
    this.#record.respondedAt ??= this.#runtime.timers.now;
    this.#record.countOut(bytes.length);
    if (!this.#client.write(bytes)) {
      this.#clientBlocked = true;
      this.#server?.pause(true);
    }
    this.#active();
  }

  serverEnded(): void {
    this.#serverEnded = true;
    this.#client.end();
    this.#finishWhenBothEnded();
    this.#active();
  }

  serverDrained(): void {
    this.#serverBlocked = false;
    this.#pauseClient(false);
    this.#active();
  }

  serverClosed(reason: string | undefined): void {
    if (reason !== undefined || !this.#serverEnded) this.#record.terminate("S", "D");
    this.#finish();
  }

  serverDied(): void {
    this.#record.terminate("D", this.#step());
    this.#finish();
  }

  /** The dial's timer, which is the server's time-out once there is one. */
  timerExpired(): void {
    this.#timedOut("s");
  }

  // ── stopping ──

  /** A connection in mode tcp has no end of a request to wait for: it goes on. */
  softStop(): void {}

  hardStop(): void {
    this.#record.terminate("K", this.#step());
    this.#finish();
    this.#client.abort(false);
  }

  #toServer(bytes: Uint8Array): void {
    if (this.#server?.connection.write(bytes) === false) {
      this.#serverBlocked = true;
      this.#pauseClient(true);
    }
    this.#active();
  }

  #pauseClient(pause: boolean): void {
    if (pause === this.#clientPaused) return;
    this.#clientPaused = pause;
    if (pause) this.#client.pause();
    else this.#client.resume();
  }

  /** What is still on its way to the server goes out first: the server's connection then closes by itself. */
  #finishWhenBothEnded(): void {
    if (this.#clientEnded && this.#serverEnded && this.#server?.connection.pending === 0) this.#finish();
  }

  #timedOut(cause: "c" | "s"): void {
    if (this.#done) {
      this.#client.abort(false);
      return;
    }
    this.#record.terminate(cause, this.#step());
    this.#finish();
  }

  /** A byte either way keeps both sides alive; a half-closed side has a time-out of its own. */
  #active(): void {
    const dial = this.#dial;
    if (this.#done || dial === undefined || this.#server === undefined) return;
    const { client, clientFin, tunnel } = this.#frontend.configuration.timeouts;
    const { server, serverFin, tunnel: backendTunnel } = dial.backend.configuration.timeouts;
    const both = backendTunnel ?? tunnel;
    const { timers } = this.#runtime;
    const clientLimit = this.#serverEnded ? (clientFin ?? client) : client;
    const serverLimit = this.#clientEnded ? (serverFin ?? server) : server;
    if (both !== undefined && !this.#clientEnded && !this.#serverEnded) {
      timers.set(this.#clientTimer, undefined);
      dial.setTimer(tunnelTimeout(both, client, server));
      return;
    }
    timers.setAfter(this.#clientTimer, this.#serverBlocked ? undefined : clientLimit);
    dial.setTimer(this.#clientBlocked ? undefined : serverLimit);
  }

  #step(): Step {
    return this.#server === undefined ? (this.#dial?.step ?? "C") : "D";
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    const { timers } = this.#runtime;
    const now = timers.now;
    this.#dial?.release();
    this.#record.end(now);
    this.#record.silent = this.#record.bytesIn === 0 && this.#record.bytesOut === 0;
    this.#record.log(now);
    this.#client.end();
    this.#pauseClient(false);
    timers.setAfter(
      this.#clientTimer,
      this.#client.pending > 0 ? this.#frontend.configuration.timeouts.client : LINGER,
    );
  }
}
