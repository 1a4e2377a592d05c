/**
 * The control socket: a request is one JSON line, the answer one JSON line, or for `events` a line an event until the
 * reader goes away. Reachable for root only (mode 0600).
 */

import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { DaemonEvent } from "../events.ts";

export interface ControlRequest {
  /** `events` goes on until the reader leaves; `recent-events` ends with what is remembered. */
  readonly command: "status" | "events" | "recent-events" | "reload";
}
export type ControlAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: string };

export interface ControlCommands {
  status(): Promise<unknown>;
  reload(): Promise<unknown>;
}

const LONGEST_REQUEST_BYTES = 64 * 1024;
const KEPT_EVENTS = 1_000;
/** A reader of events that is this far behind is cut off, so that it cannot grow the supervisor. */
const MOST_UNREAD_BYTES = 1024 * 1024;

export class ControlServer {
  readonly path: string;
  readonly #server: Server;
  readonly #commands: ControlCommands;
  readonly #readers = new Set<Socket>();
  readonly #recent: DaemonEvent[] = [];

  /** @throws {Error} naming the path, when it cannot listen or somebody does already. */
  static async open(path: string, commands: ControlCommands): Promise<ControlServer> {
    if (await answers(path)) throw new Error(`evenkeel is already running: ${path} answers`);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    const control = new ControlServer(path, commands);
    await new Promise<void>((resolve, reject) => {
      control.#server.once("error", reject);
      control.#server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
    return control;
  }

  private constructor(path: string, commands: ControlCommands) {
    this.path = path;
    this.#commands = commands;
    this.#server = createServer((socket) => this.#serve(socket));
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

  #serve(socket: Socket): void {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("error", () => undefined);
    socket.on("close", () => this.#readers.delete(socket));
    socket.on("data", (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        void this.#request(socket, text.slice(0, end));
        text = text.slice(end + 1);
      }
      if (text.length > LONGEST_REQUEST_BYTES) socket.destroy();
    });
  }

  async #request(socket: Socket, line: string): Promise<void> {
    const answer = (value: ControlAnswer) => socket.write(`${JSON.stringify(value)}\n`);
    const command = commandOf(line);
    switch (command) {
      case "status":
      case "reload":
        try {
          answer({ ok: true, value: await this.#commands[command]() });
        } catch (error) {
          answer({ ok: false, error: error instanceof Error ? error.message : String(error) });
        }
        break;
      case "events":
      case "recent-events":
        for (const event of this.#recent) socket.write(`${JSON.stringify(event)}\n`);
        if (command === "events") this.#readers.add(socket);
        else socket.end();
        break;
      default:
        answer({
          ok: false,
          error: 'expected a line like {"command":"status"}; commands: status, events, recent-events, reload',
        });
    }
  }
}

function commandOf(line: string): unknown {
  try {
    const request: unknown = JSON.parse(line);
    return typeof request === "object" && request !== null && "command" in request ? request.command : undefined;
  } catch {
    return undefined;
  }
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
