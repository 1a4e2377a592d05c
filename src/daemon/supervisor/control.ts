/**
 * The control socket: a request is one JSON line, the answer one JSON line, or for `events` a line an event until the
 * reader goes away. docs/reference/control-socket.md. Reachable for its owner only (mode 0600).
 *
 * A client is read no faster than it takes its answers, so whatever it does it cannot grow the supervisor.
 */

import { lstatSync, mkdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { seconds } from "../../base/time.ts";
import { SystemError } from "../../sys/addon.ts";
import { listenUnix } from "../../sys/listen.ts";
import type { DrainOrder } from "../director/virtual-servers.ts";
import type { DaemonEvent } from "../events.ts";

export interface ControlRequest {
  /** `events` goes on until the reader leaves; `recent-events` ends with what is remembered. */
  readonly command: "status" | "metrics" | "events" | "recent-events" | "reload" | "drain" | "undrain";
  /** `reload`: only say what it would do. */
  readonly dryRun?: boolean;
  /** `drain` and `undrain`: as a person names them, `10.0.0.1:80`. */
  readonly virtualServer?: string;
  readonly realServer?: string;
  /** `drain`: what is left after so many seconds is cut off. */
  readonly withinSeconds?: number;
}
export type ControlAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: string };

export interface ControlCommands {
  status(): Promise<unknown>;
  metrics(): Promise<unknown>;
  reload(): Promise<unknown>;
  /** What `reload` would do. */
  planReload(): Promise<unknown>;
  /** Rejects with the reason when it is not done. */
  drain(order: DrainOrder): Promise<unknown>;
}

const LONGEST_REQUEST_BYTES = 64 * 1024;
const KEPT_EVENTS = 1_000;
const LONGEST_DRAIN_SECONDS = 30 * 24 * 3_600;
/** A reader of events that is this far behind is cut off. */
const MOST_UNREAD_BYTES = 1024 * 1024;
/** Clients at a time; more of them wait. */
const MOST_CLIENTS = 1_000;

export class ControlServer {
  readonly path: string;
  readonly #server: Server;
  readonly #commands: ControlCommands;
  readonly #readers = new Set<Socket>();
  readonly #recent: DaemonEvent[] = [];

  /** @throws {Error} naming the path, when it cannot listen or somebody does already. */
  static async open(path: string, commands: ControlCommands): Promise<ControlServer> {
    if (await answers(path)) throw new Error(`evenkeel is already running: ${path} answers`);
    const control = new ControlServer(path, commands);
    const fd = listenAt(path);
    await new Promise<void>((resolve, reject) => {
      control.#server.once("error", reject);
      control.#server.listen({ fd }, resolve);
    });
    return control;
  }

  private constructor(path: string, commands: ControlCommands) {
    this.path = path;
    this.#commands = commands;
    // A client may close its half after the request, as `nc -N` does.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => void this.#serve(socket));
    this.#server.maxConnections = MOST_CLIENTS;
  }

  publish(event: DaemonEvent): void {
    this.#recent.push(event);
    if (this.#recent.length > KEPT_EVENTS) this.#recent.shift();
    const line = `${JSON.stringify(event)}\n`;
    for (const reader of this.#readers) {
      reader.write(line);
      if (reader.writableLength > MOST_UNREAD_BYTES) reader.destroy();
    }
  }

  close(): void {
    this.#server.close();
    for (const reader of this.#readers) reader.end();
    rmSync(this.path, { force: true });
  }

  async #serve(socket: Socket): Promise<void> {
    socket.on("error", () => undefined);
    socket.on("close", () => this.#readers.delete(socket));
    try {
      for await (const line of requestLines(socket)) {
        await this.#request(socket, line);
        if (this.#readers.has(socket)) return;
      }
      socket.end();
    } catch {
      socket.destroy();
    }
  }

  async #request(socket: Socket, line: string): Promise<void> {
    const request = requestOf(line);
    switch (request.command) {
      case "status":
        await send(socket, await answerOf(this.#commands.status()));
        break;
      case "metrics":
        await send(socket, await answerOf(this.#commands.metrics()));
        break;
      case "reload": {
        const { reload, planReload } = this.#commands;
        // What asks for a dry run in another way must not get a reload.
        const isDry = request.dryRun === undefined ? false : request.dryRun;
        const unclear = "dryRun is true or false";
        const work = typeof isDry !== "boolean" ? Promise.reject(new Error(unclear)) : isDry ? planReload() : reload();
        await send(socket, await answerOf(work));
        break;
      }
      case "drain":
      case "undrain": {
        const order = drainOrder(request);
        const done = typeof order === "string" ? Promise.reject(new Error(order)) : this.#commands.drain(order);
        await send(socket, await answerOf(done));
        break;
      }
      case "events":
      case "recent-events":
        for (const event of this.#recent) socket.write(`${JSON.stringify(event)}\n`);
        if (request.command === "recent-events") {
          socket.end();
          break;
        }
        this.#readers.add(socket);
        // What it says from now on is not a request; reading on shows when it leaves.
        socket.on("end", () => socket.end());
        socket.resume();
        break;
      default:
        await send(socket, {
          ok: false,
          error:
            'expected a line like {"command":"status"}; commands: status, metrics, events, recent-events, reload, drain, undrain',
        });
    }
  }
}

async function answerOf(work: Promise<unknown>): Promise<ControlAnswer> {
  try {
    return { ok: true, value: await work };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error) };
  }
}

/** Resolves when the client has taken it, or has gone. */
function send(socket: Socket, answer: ControlAnswer): Promise<void> {
  return new Promise((resolve) => socket.write(`${JSON.stringify(answer)}\n`, () => resolve()));
}

/** @throws {Error} for a line that does not end */
async function* requestLines(socket: Socket): AsyncGenerator<string> {
  let text = "";
  socket.setEncoding("utf8");
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += chunk;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      yield line;
    }
    if (text.length > LONGEST_REQUEST_BYTES) throw new Error("a request without an end");
  }
}

/** Takes the place of a socket that nobody answers at, and of nothing else. @throws {Error} in one line */
function listenAt(path: string): number {
  try {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there !== undefined && !there.isSocket()) throw new Error("there is something that is not a socket");
    // /run/evenkeel is ours to make, and goes with every restart of the machine; a path with more missing is a mistake.
    const folder = dirname(path);
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder);
    return listenUnix(path, 0o600);
  } catch (error) {
    const why =
      error instanceof SystemError ? `${error.syscall}: ${error.code}` : error instanceof Error ? error.message : error;
    throw new Error(`control socket ${path}: ${why}`);
  }
}

/** Whoever writes here may write anything. */
function requestOf(line: string): { readonly [field: string]: unknown } {
  try {
    const request: unknown = JSON.parse(line);
    return typeof request === "object" && request !== null ? { ...request } : {};
  } catch {
    return {};
  }
}

/** Or what is wrong with it. */
function drainOrder(request: { readonly [field: string]: unknown }): DrainOrder | string {
  const { command, virtualServer, realServer, withinSeconds } = request;
  if (typeof virtualServer !== "string" || typeof realServer !== "string")
    return "drain and undrain need virtualServer and realServer";
  if (
    withinSeconds !== undefined &&
    !(typeof withinSeconds === "number" && withinSeconds >= 0 && withinSeconds <= LONGEST_DRAIN_SECONDS)
  )
    return `withinSeconds must be a number from 0 to ${LONGEST_DRAIN_SECONDS}`;
  const within = withinSeconds === undefined ? undefined : seconds(withinSeconds);
  return { virtualServer, realServer, drain: command === "drain", within };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
