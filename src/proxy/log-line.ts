/**
 * The line that goes to a log target: header of the chosen format, then the message.
 *
 * configuration.txt 3.1 `log … format`, RFC 3164, RFC 5424. Pure: the daemon sends the line. No line end: a datagram needs
 * none, and who writes to a stream adds one.
 */

import type { LogLevel, LogTarget } from "../config/model/proxy.ts";

export interface LogHeader {
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  /** Minutes east of UTC at that time. */
  readonly utcOffsetMinutes: number;
  /** Empty: `log-send-hostname` is not set. */
  readonly hostname: string;
  readonly tag: string;
  readonly pid: number;
}

/** The most severe first, as syslog numbers them. */
const LEVELS: readonly LogLevel[] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The datagram's text, cut to the target's length; undefined when the target does not want this level. */
export function formatLogLine(
  target: LogTarget,
  level: LogLevel,
  header: LogHeader,
  message: string,
): string | undefined {
  const severity = LEVELS.indexOf(level);
  if (severity > LEVELS.indexOf(target.level)) return undefined;
  const sent = Math.max(severity, LEVELS.indexOf(target.minLevel));
  // The length counts the line end.
  return (headerText(target, sent, header) + message).slice(0, Math.max(0, target.length - 1));
}

function headerText(target: LogTarget, severity: number, header: LogHeader): string {
  const priority = `<${target.facility * 8 + severity}>`;
  const process = `${header.tag}[${header.pid}]: `;
  switch (target.format) {
    case "raw":
      return "";
    case "short":
      return `<${severity}>`;
    case "priority":
      return priority;
    case "timed":
      return `<${severity}>${isoTime(header)} `;
    case "iso":
      return `${isoTime(header)} `;
    case "local":
    case "rfc3164":
      return `${priority}${bsdTime(header)} ${target.format === "local" ? "" : hostOf(header)}${process}`;
    case "rfc5424":
      return `${priority}1 ${isoTime(header)} ${header.hostname || "-"} ${header.tag} ${header.pid} - - `;
    default:
      return target.format satisfies never;
  }
}

const hostOf = (header: LogHeader): string => (header.hostname === "" ? "" : `${header.hostname} `);

/** `Nov 21 00:38:33`, local time, the day padded with a space. */
function bsdTime(header: LogHeader): string {
  const date = localDate(header);
  return `${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)} ${date.toISOString().slice(11, 19)}`;
}

/** `2026-11-21T00:38:33.630123+01:00` with the microseconds that are known. */
function isoTime(header: LogHeader): string {
  const ahead = Math.abs(header.utcOffsetMinutes);
  const two = (value: number): string => String(value).padStart(2, "0");
  const offset = `${header.utcOffsetMinutes < 0 ? "-" : "+"}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`;
  return `${localDate(header).toISOString().slice(0, 23)}000${offset}`;
}

/** A date whose UTC fields read as local time. */
const localDate = (header: LogHeader): Date => new Date(header.timeMs + header.utcOffsetMinutes * 60_000);
