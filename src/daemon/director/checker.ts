/**
 * Performs one health check: connects, asks when there is something to ask, says how it ended, closes.
 *
 * Outcomes and wording are those of HAProxy 2.6 (management.txt, check_status; measured). Decides nothing about the server.
 */

import { connect, type Socket } from "node:net";
import { getSystemErrorMessage } from "node:util";
import type { IpAddress } from "../../base/ip.ts";
import { between, type Duration, type Instant, inMilliseconds } from "../../base/time.ts";
import type { CheckMethod } from "../../config/model/proxy.ts";
import type { CheckResult } from "../../health/check-result.ts";
import { HeaderList } from "../../http/headers.ts";
import type { Leniency } from "../../http/limits.ts";
import { ResponseReader } from "../../http/response-reader.ts";
import { encodeRequestHead } from "../../http/write.ts";

export interface CheckPlan {
  readonly address: IpAddress;
  readonly port: number;
  readonly method: CheckMethod;
  /** Version of the PROXY header to send first. */
  readonly sendProxy: undefined | 1 | 2;
  /** For the connection; without `reply` for the whole check. */
  readonly timeout: Duration;
  /** From the connection to the answer. */
  readonly reply: Duration | undefined;
  /** Longest answer that is looked at, bytes. */
  readonly bufsize: number;
}

/** A check asks whether the server lives; how well it frames is seen when it gets traffic. */
const LENIENT: Leniency = {
  bareLf: true,
  obsFold: true,
  repeatedContentLength: true,
  lengthWithTransferEncoding: true,
  missingHost: true,
  looseTarget: true,
  missingReason: true,
};

/** Calls `done` exactly once, later, unless the function that it returns is called before: that gives the check up. */
export function startCheck(plan: CheckPlan, now: () => Instant, done: (result: CheckResult) => void): () => void {
  const startedAt = now();
  const http = plan.method.kind === "http" ? plan.method : undefined;
  const reader = new ResponseReader({ headBytes: plan.bufsize, lenient: LENIENT });
  reader.expect({ method: http?.method ?? "GET", upgrade: false });
  const socket = connect({ host: plan.address, port: plan.port, noDelay: true });
  let connected = false;
  let finished = false;
  let timer = setTimeout(timedOut, inMilliseconds(plan.timeout));

  function giveUp(): boolean {
    if (finished) return false;
    finished = true;
    clearTimeout(timer);
    socket.destroy();
    return true;
  }
  function end(code: CheckResult["code"], detail = "", status?: number): void {
    if (!giveUp()) return;
    done({ code, status, detail, durationMs: Math.floor(inMilliseconds(between(startedAt, now()))) });
  }
  function timedOut(): void {
    end(connected ? "L7TOUT" : "L4TOUT");
  }
  function read(): void {
    const event = reader.next();
    if (event.kind === "need-data") return;
    // As in HAProxy 2.6 the first head counts, an interim one too.
    if (event.kind !== "head" && event.kind !== "interim") {
      end("L7RSP");
      return;
    }
    const { status, reason } = event.head;
    if (status >= 200 && status <= 399) end("L7OK", "", status);
    else end("L7STS", reason, status);
  }

  socket.on("connect", () => {
    connected = true;
    if (plan.sendProxy !== undefined) socket.write(proxyHeader(plan.sendProxy, socket));
    if (http === undefined) return end("L4OK");
    if (plan.reply !== undefined) {
      clearTimeout(timer);
      timer = setTimeout(timedOut, inMilliseconds(plan.reply));
    }
    socket.write(requestBytes(http));
  });
  socket.on("data", (bytes: Buffer) => {
    reader.receive(bytes);
    read();
  });
  socket.on("end", () => {
    reader.receiveEnd();
    read();
  });
  socket.on("error", (error: NodeJS.ErrnoException) => end(connected ? "SOCKERR" : "L4CON", describe(error)));
  return giveUp;
}

/** `OPTIONS / HTTP/1.0`; in 1.1 the server is told that this is all. */
function requestBytes({ method, uri, version, headers: pairs }: Extract<CheckMethod, { kind: "http" }>): Uint8Array {
  const headers = HeaderList.of(...pairs);
  const is11 = version === "HTTP/1.1";
  if (is11 && !headers.has("connection")) headers.append("connection", "close");
  return encodeRequestHead({ method, target: uri, version: is11 ? "1.1" : "1.0", headers });
}

/** The PROXY protocol's specification §2: version 1 names the check's own connection, version 2 says LOCAL. */
function proxyHeader(version: 1 | 2, socket: Socket): Uint8Array {
  if (version === 2) return Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex");
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  const family = remoteAddress?.includes(":") === true ? "TCP6" : "TCP4";
  return Buffer.from(`PROXY ${family} ${localAddress} ${remoteAddress} ${localPort} ${remotePort}\r\n`, "latin1");
}

/** The C library's words, which are HAProxy's, where libuv has others. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EHOSTUNREACH: "No route to host",
  ENETUNREACH: "Network is unreachable",
  ETIMEDOUT: "Connection timed out",
  EADDRNOTAVAIL: "Cannot assign requested address",
  EACCES: "Permission denied",
  EPERM: "Operation not permitted",
  EPIPE: "Broken pipe",
  EMFILE: "Too many open files",
};

const describe = ({ code, errno, message }: NodeJS.ErrnoException): string =>
  WORDS[code ?? ""] ?? (errno === undefined ? message : getSystemErrorMessage(errno));
