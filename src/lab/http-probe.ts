/** A probe that asks a web server: GET, on a connection of its own or on a kept one, with or without a cookie. */

import { Agent, type IncomingMessage, request } from "node:http";
import type { Probe, ProbeOutcome } from "./probe.ts";

export interface HttpProbeOptions {
  readonly url: string;
  readonly timeoutMs: number;
  readonly keepAlive: boolean;
  /** Send back what the server set. */
  readonly keepCookies: boolean;
}

/** Enough to find the first line of a page. */
const MOST_BODY_BYTES = 65_536;

export function httpProbe(options: HttpProbeOptions): Probe {
  const agent = options.keepAlive ? new Agent({ keepAlive: true, maxSockets: 1 }) : false;
  const cookies = new Map<string, string>();
  return () =>
    new Promise<ProbeOutcome>((resolve) => {
      const headers: Record<string, string> = { "user-agent": "evenkeel-probe" };
      if (cookies.size > 0) headers.cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
      const asked = request(options.url, { agent, headers });
      const timer = setTimeout(() => asked.destroy(new Error("timeout")), options.timeoutMs);
      const settle = (outcome: ProbeOutcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      asked.on("error", (error: NodeJS.ErrnoException) => settle({ ok: false, error: error.code ?? error.message }));
      asked.on("response", (response) => {
        if (options.keepCookies) remember(cookies, response);
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (text: string) => {
          if (body.length < MOST_BODY_BYTES) body += text;
        });
        response.on("error", (error: NodeJS.ErrnoException) =>
          settle({ ok: false, status: response.statusCode ?? 0, error: error.code ?? error.message }),
        );
        response.on("end", () => settle(outcomeOf(response, body)));
      });
      asked.end();
    });
}

function outcomeOf(response: IncomingMessage, body: string): ProbeOutcome {
  const status = response.statusCode ?? 0;
  if (status >= 400) return { ok: false, status, error: `status ${status}` };
  const named = response.headers["x-served-by"];
  const by = (typeof named === "string" ? named : (body.split("\n")[0] ?? "")).trim().slice(0, 64);
  return by === "" ? { ok: true, status } : { ok: true, status, by };
}

/** Names and values only: whatever is asked here is the same place all the time. */
function remember(cookies: Map<string, string>, response: IncomingMessage): void {
  for (const line of response.headers["set-cookie"] ?? []) {
    const [pair = ""] = line.split(";");
    const equals = pair.indexOf("=");
    if (equals > 0) cookies.set(pair.slice(0, equals).trim(), pair.slice(equals + 1).trim());
  }
}
