/**
 * The line that a connection or request leaves in the log: `option httplog`, `option httplog clf`, `option tcplog`, or the
 * short one without an option.
 *
 * configuration.txt 8.2, as HAProxy 2.6 writes it. Only the message: its header is made by log-line.ts.
 */

import type { Frontend, Mode } from "../config/model/proxy.ts";
import type { Endpoint } from "./port.ts";

/** Milliseconds; −1: never reached. */
export interface LogTimers {
  /** From the first byte of the request to the end of its head. */
  readonly request: number;
  readonly queue: number;
  readonly connect: number;
  readonly response: number;
  /** From the first byte of the request, or of the connection in mode tcp, to the end. */
  readonly active: number;
}

export interface LogRecord {
  readonly client: Endpoint;
  readonly local: Endpoint;
  /** Milliseconds since the epoch: the request's first byte, or the accepted connection in mode tcp. */
  readonly startedMs: number;
  readonly frontend: string;
  readonly mode: Mode;
  readonly backend: string;
  /** Also `<NOSRV>` and `<STATS>`. */
  readonly server: string;
  readonly timers: LogTimers;
  /** −1: none was sent. */
  readonly status: number;
  readonly bytes: number;
  /** `--`, or `----` with the two of the cookie. */
  readonly termination: string;
  readonly connections: {
    readonly process: number;
    readonly frontend: number;
    readonly backend: number;
    readonly server: number;
  };
  readonly retries: number;
  readonly redispatched: boolean;
  readonly serverQueue: number;
  readonly backendQueue: number;
  /** Latin-1 text; undefined: it could not be read. */
  readonly requestLine: string | undefined;
}

/** HAProxy's REQURI_LEN less the terminator. */
const LONGEST_REQUEST_LINE = 1023;

export function logMessage(format: Frontend["logFormat"], record: LogRecord): string {
  switch (format) {
    case "httplog":
      return httpLog(record);
    case "clf":
      return commonLog(record);
    case "tcplog":
      return tcpLog(record);
    case "connect": {
      const { client, local, frontend, mode } = record;
      const from = `${client.address}:${client.port}`;
      return `Connect from ${from} to ${local.address}:${local.port} (${frontend}/${mode.toUpperCase()})`;
    }
    default:
      return format satisfies never;
  }
}

function httpLog(record: LogRecord): string {
  const { client, timers } = record;
  const times = `${timers.request}/${timers.queue}/${timers.connect}/${timers.response}/${timers.active}`;
  return (
    `${client.address}:${client.port} [${logDate(record.startedMs)}] ${record.frontend} ` +
    `${record.backend}/${record.server} ${times} ${record.status} ${record.bytes} - - ${record.termination} ` +
    `${countsOf(record)} "${quotedRequest(record)}"`
  );
}

function tcpLog(record: LogRecord): string {
  const { client, timers } = record;
  return (
    `${client.address}:${client.port} [${logDate(record.startedMs)}] ${record.frontend} ` +
    `${record.backend}/${record.server} ${timers.queue}/${timers.connect}/${timers.active} ${record.bytes} ` +
    `${record.termination.slice(0, 2)} ${countsOf(record)}`
  );
}

function commonLog(record: LogRecord): string {
  const { client, timers, connections } = record;
  const seconds = commonDate(record.startedMs);
  const milliseconds = String(record.startedMs % 1000).padStart(3, "0");
  const times = `${timers.request} ${timers.queue} ${timers.connect} ${timers.response} ${timers.active}`;
  const counts = `${connections.process} ${connections.frontend} ${connections.backend} ${connections.server}`;
  return (
    `${client.address} - - [${seconds}] "${quotedRequest(record)}" ${record.status} ${record.bytes} "" "" ` +
    `${client.port} ${milliseconds} "${record.frontend}" "${record.backend}" "${record.server}" ${times} ` +
    `${record.termination} ${counts} ${retriesOf(record)} ${record.serverQueue} ${record.backendQueue} "" "" `
  );
}

function countsOf(record: LogRecord): string {
  const { process, frontend, backend, server } = record.connections;
  const queues = `${record.serverQueue}/${record.backendQueue}`;
  return `${process}/${frontend}/${backend}/${server}/${retriesOf(record)} ${queues}`;
}

const retriesOf = (record: LogRecord): string => `${record.redispatched ? "+" : ""}${record.retries}`;

function quotedRequest({ requestLine }: LogRecord): string {
  return requestLine === undefined ? "<BADREQ>" : escapeForLog(requestLine.slice(0, LONGEST_REQUEST_LINE));
}

/** Control characters, everything beyond ASCII, the quote and the number sign become `#` and two hexadecimal digits. */
export function escapeForLog(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach the log.
  return /[\x00-\x1f"#\x7f-\uffff]/.test(text) ? text.replaceAll(/[\x00-\x1f"#\x7f-\uffff]/g, hexadecimal) : text;
}

function hexadecimal(character: string): string {
  return `#${(character.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, "0")}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value: number): string => (value < 10 ? `0${value}` : String(value));

let cachedSecond = -1;
let cachedText = "";

/** Local time: `21/Nov/2026:00:38:33.630`. */
function logDate(timeMs: number): string {
  const second = Math.floor(timeMs / 1000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedText = dateText(new Date(second * 1000));
  }
  return `${cachedText}.${String(timeMs - second * 1000).padStart(3, "0")}`;
}

/** `21/Nov/2026:00:38:33 +0000` */
function commonDate(timeMs: number): string {
  const date = new Date(timeMs);
  const east = -date.getTimezoneOffset();
  const ahead = Math.abs(east);
  return `${dateText(date)} ${east < 0 ? "-" : "+"}${two(Math.floor(ahead / 60))}${two(ahead % 60)}`;
}

function dateText(date: Date): string {
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`;
  return `${day}:${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
