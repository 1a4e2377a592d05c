/**
 * Answers that no server gave: pages for errors and for `monitor-uri`, and the statistics.
 *
 * Chooses nothing: the stream says what is to be answered (http-stream.ts), error-page.ts and stats-service.ts what it says.
 */

import type { RequestHead, ResponseHead } from "../http/message.ts";
import { errorPage, type Page } from "./error-page.ts";
import type { HttpClient } from "./http-client.ts";
import { requestHeadSize, responseHeadSize } from "./htx-size.ts";
import { answerStatistics, requestedStatistics } from "./stats-service.ts";
import type { StreamRecord } from "./stream-record.ts";

/** Writes the page as the request wants it. `keep`: another request may follow. */
export function writePage(client: HttpClient, record: StreamRecord, request: RequestHead, page: Page, keep: boolean) {
  const head: ResponseHead = { ...page.head, headers: page.head.headers.copy() };
  const hasBody = request.method !== "HEAD" && page.body.length > 0;
  record.countOut(responseHeadSize(head) + (hasBody ? page.body.length : 0));
  if (!keep) head.headers.append("connection", "close");
  else if (request.version === "1.0") head.headers.append("connection", "keep-alive");
  client.output.responseHead(head);
  if (hasBody) client.output.data(page.body);
}

/** Undefined: the request does not ask for the statistics. They may take the time that the other processes need. */
export function statisticsFor(
  client: HttpClient,
  record: StreamRecord,
  request: RequestHead,
): Page | Promise<Page> | undefined {
  const { runtime, frontend } = client;
  const { configuration, backend, counters } = frontend;
  const asked =
    requestedStatistics(configuration.stats, request.target) ??
    requestedStatistics(backend?.configuration.stats, request.target);
  if (asked === undefined) return undefined;
  const { now } = runtime.timers;
  counters.intercepted++;
  record.countIn(requestHeadSize(request));
  record.statisticsPage = true;
  record.requestAt = now;
  record.queuedUntil = now;
  record.connectedAt = now;
  record.terminate("L", "R");
  const answer = answerStatistics(asked, request, frontend);
  return answer instanceof Promise ? answer.catch(() => errorPage(500, configuration.errorFiles)) : answer;
}
