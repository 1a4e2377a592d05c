/**
 * `stats enable|uri|auth|refresh`: which requests ask for the statistics, who may see them, and the answer.
 *
 * configuration.txt `stats …`, management.txt 9.1. Read-only: there is no `stats admin` yet, so a POST is sent back.
 */

import type { StatsPage } from "../config/model/proxy.ts";
import { HeaderList } from "../http/headers.ts";
import type { RequestHead } from "../http/message.ts";
import { errorPage, type Page } from "./error-page.ts";
import type { ProxyFrontend } from "./frontend.ts";
import type { ProxyStatistics } from "./statistics.ts";
import { statisticsCsv } from "./stats-csv.ts";
import { statisticsPage } from "./stats-page.ts";

export interface StatisticsRequest {
  readonly page: StatsPage;
  readonly csv: boolean;
  readonly upOnly: boolean;
  readonly refresh: boolean;
}

const encoder = new TextEncoder();

/** Undefined: the request is for somebody else. As in HAProxy the URI is a prefix, options follow after semicolons. */
export function requestedStatistics(page: StatsPage | undefined, target: string): StatisticsRequest | undefined {
  if (page === undefined) return undefined;
  const path = target.startsWith("/") ? target : target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, "");
  if (!path.startsWith(page.uri)) return undefined;
  const options = path.slice(page.uri.length).split(";").slice(1);
  const has = (option: string): boolean => options.some((text) => text.split("?", 1)[0] === option);
  return { page, csv: has("csv"), upOnly: has("up"), refresh: !has("norefresh") };
}

export function answerStatistics(
  { page, csv, upOnly, refresh }: StatisticsRequest,
  head: RequestHead,
  frontend: ProxyFrontend,
): Page | Promise<Page> {
  if (!isAuthorized(page, head)) return unauthorized(page, frontend.configuration.errorFiles);
  if (head.method === "POST") return elsewhere(`${page.uri};st=DENY`);
  if (head.method !== "GET" && head.method !== "HEAD") return errorPage(405, frontend.configuration.errorFiles);
  const { runtime } = frontend;
  const seconds = refresh ? page.refreshSeconds : undefined;
  const answer = (statistics: ProxyStatistics): Page => {
    const nowMs = runtime.wallClockMs();
    const identity = { hostname: runtime.hostname, version: runtime.version };
    const text = csv
      ? statisticsCsv(statistics, nowMs, page.showLegends)
      : statisticsPage(statistics, { page, nowMs, upOnly, refreshSeconds: seconds, ...identity });
    return found(text, csv ? "text/plain" : "text/html", seconds);
  };
  const statistics = runtime.collect();
  return statistics instanceof Promise ? statistics.then(answer) : answer(statistics);
}

function found(text: string, type: string, refreshSeconds: number | undefined): Page {
  const body = encoder.encode(text);
  const headers = HeaderList.of(["cache-control", "no-cache"], ["content-type", `${type}; charset=utf-8`]);
  // Nothing on the page comes from elsewhere or runs: should a name ever get past the escaping, it still does nothing.
  headers.append("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
  headers.append("x-content-type-options", "nosniff");
  if (refreshSeconds !== undefined) headers.append("refresh", String(refreshSeconds));
  headers.append("content-length", String(body.length));
  return { head: { version: "1.1", status: 200, reason: "OK", headers }, body };
}

function elsewhere(location: string): Page {
  const headers = HeaderList.of(
    ["cache-control", "no-cache"],
    ["content-type", "text/plain"],
    ["content-length", "0"],
    ["location", location],
  );
  return { head: { version: "1.1", status: 303, reason: "See Other", headers }, body: new Uint8Array(0) };
}

function unauthorized(page: StatsPage, errorFiles: Readonly<Record<string, string>>): Page {
  const answer = errorPage(401, errorFiles);
  answer.head.headers.append("www-authenticate", `Basic realm="${page.realm.replaceAll(/["\\]/g, "\\$&")}"`);
  return answer;
}

/** RFC 7617. */
function isAuthorized({ auth }: StatsPage, { headers }: RequestHead): boolean {
  if (auth.length === 0) return true;
  const [scheme = "", credentials = ""] = (headers.get("authorization") ?? "").split(/ +/, 2);
  if (scheme.toLowerCase() !== "basic") return false;
  let found = false;
  for (const user of auth) if (isSame(credentials, base64(user))) found = true;
  return found;
}

/** Takes as long for a wrong first character as for a wrong last one. */
function isSame(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < expected.length; i++) difference |= given.charCodeAt(i) ^ expected.charCodeAt(i);
  return difference === 0;
}

const base64 = (text: string): string => btoa(String.fromCharCode(...encoder.encode(text)));
