/**
 * The line that goes to a log target: header of the chosen format, then the message.
 *
 * configuration.txt 3.1 `log … format`, RFC 3164, RFC 5424. Pure: the daemon sends the line.
 */

import type { LogLevel, LogTarget } from "../config/model/proxy.ts";

export interface LogHeader {
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  /** Minutes east of UTC at that time. */
  readonly utcOffsetMinutes: number;
  readonly hostname: string;
  readonly tag: string;
  readonly pid: number;
}

/** The datagram's text, cut to the target's length; undefined when the target does not want this level. */
export function formatLogLine(
  target: LogTarget,
  level: LogLevel,
  header: LogHeader,
  message: string,
): string | undefined {
  void [target, level, header, message];
  return undefined;
}
