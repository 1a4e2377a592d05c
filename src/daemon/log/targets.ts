/**
 * Where haproxy.cfg's `log` lines send: syslog over UDP, or a descriptor of the process.
 *
 * A line that cannot be delivered is counted and dropped, never waited for. A unix datagram socket (`log /dev/log`) is
 * written through the addon, as Node has none.
 */

import { createSocket, type Socket } from "node:dgram";
import { writeSync } from "node:fs";
import { isIpv4 } from "../../base/ip.ts";
import type { LogLevel, LogTarget } from "../../config/model/proxy.ts";
import type { LogSink } from "../../proxy/engine.ts";
import { formatLogLine } from "../../proxy/log-line.ts";
import { openUnixDatagram, type UnixDatagram } from "../../sys/unix-datagram.ts";

/** A socket that could not be opened never says that it sent. */
const LONGEST_FLUSH_MS = 500;

export interface LogIdentity {
  readonly tag: string;
  readonly pid: number;
}

export class TargetLog implements LogSink {
  readonly #identity: LogIdentity;
  readonly #udp = new Map<4 | 6, Socket>();
  readonly #unix = new Map<string, UnixDatagram>();
  /** Lines that no target took. */
  dropped = 0;
  /** Datagrams that Node still holds. */
  #pending = 0;
  #flushed: () => void = () => undefined;

  constructor(identity: LogIdentity) {
    this.#identity = identity;
  }

  write(target: LogTarget, level: LogLevel, message: string): void {
    const now = new Date();
    // Without `log-send-hostname` HAProxy leaves the host name out.
    const header = {
      ...this.#identity,
      hostname: "",
      timeMs: now.getTime(),
      utcOffsetMinutes: -now.getTimezoneOffset(),
    };
    const line = formatLogLine(target, level, header, message);
    if (line === undefined) return;
    const { to } = target;
    switch (to.kind) {
      case "udp":
        this.#pending++;
        this.#socket(isIpv4(to.address) ? 4 : 6).send(line, to.port, to.address, (error) => {
          if (error) this.dropped++;
          if (--this.#pending === 0) this.#flushed();
        });
        break;
      case "unix":
        if (!this.#unixSocket(to.path).send(line)) this.dropped++;
        break;
      case "stdout":
      case "stderr":
        this.#toDescriptor(to.kind === "stdout" ? 1 : 2, line);
        break;
      default:
        to satisfies never;
    }
  }

  /** Lets go when what was written has left. */
  async close(): Promise<void> {
    if (this.#pending > 0) {
      await new Promise<void>((resolve) => {
        this.#flushed = resolve;
        setTimeout(resolve, LONGEST_FLUSH_MS);
      });
    }
    for (const socket of this.#udp.values()) socket.close();
    for (const socket of this.#unix.values()) socket.close();
  }

  #toDescriptor(descriptor: number, line: string): void {
    try {
      writeSync(descriptor, `${line}\n`);
    } catch {
      this.dropped++;
    }
  }

  #socket(family: 4 | 6): Socket {
    let socket = this.#udp.get(family);
    if (socket === undefined) {
      socket = createSocket(family === 4 ? "udp4" : "udp6");
      socket.on("error", () => this.dropped++);
      socket.unref();
      this.#udp.set(family, socket);
    }
    return socket;
  }

  #unixSocket(path: string): UnixDatagram {
    let socket = this.#unix.get(path);
    if (socket === undefined) {
      socket = openUnixDatagram(path);
      this.#unix.set(path, socket);
    }
    return socket;
  }
}
