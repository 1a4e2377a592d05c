/**
 * How many connections a process can hold, from the descriptors that it may open: what HAProxy takes when `maxconn` is not
 * set in `global`.
 *
 * Node has raised the soft limit to the hard one when it started, as HAProxy does.
 */

import { readFileSync } from "node:fs";

/** Listeners, log sockets, channels and what Node opens for itself. */
const RESERVED = 64;
/** HAProxy's DEFAULT_MAXCONN, its least. */
const LEAST = 100;

/** A client and its server take a descriptor each. */
export const maxconnOf = (descriptors: number): number => Math.max(LEAST, Math.floor((descriptors - RESERVED) / 2));

/** RLIMIT_NOFILE of this process, proc(5). */
export function descriptorLimit(limits: string = readFileSync("/proc/self/limits", "latin1")): number {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === "unlimited" ? 2 ** 20 : Number(soft);
}
