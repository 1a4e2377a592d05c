/**
 * Other programs of our kind in the same network namespace: what has our mark (protocol 18) may be theirs then.
 *
 * A running vrrp process is known by an abstract unix socket, which the kernel keeps for each network namespace and forgets
 * with the process; keepalived is known by its name.
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { addon, attempt, constants, type Descriptor } from "../../sys/addon.ts";

const NAME = "evenkeel/vrrp/";

/** From here on others see this process. @throws SystemError */
export function showOurselves(): Descriptor {
  const path = new TextEncoder().encode(`\0${NAME}${process.pid}`);
  const address = new Uint8Array(2 + path.length);
  new DataView(address.buffer).setUint16(0, constants.AF_UNIX, true);
  address.set(path, 2);
  return attempt("open a socket that names this process", () => {
    const fd = addon.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0);
    try {
      addon.bind(fd, address);
      return fd;
    } catch (error) {
      addon.close(fd);
      throw error;
    }
  });
}

/** In words; empty when we are alone. */
export function othersHere(): string[] {
  const sockets = [...read("/proc/net/unix").matchAll(/@evenkeel\/vrrp\/(\d+)$/gm)].map(([, pid]) => Number(pid));
  const evenkeels = sockets.filter((pid) => pid !== process.pid).map((pid) => `evenkeel (process ${pid})`);
  return [...evenkeels, ...keepaliveds()];
}

/** What they mean for a start, with the cure. `others` as `othersHere` tells them. */
export const othersWarning = (others: readonly string[]): string =>
  `Warning - ${others.join(" and ")} ${others.length === 1 ? "runs" : "run"} here too: nothing of an earlier run is cleaned up, and a virtual router that is configured in both has two masters on this host. Stop one of them: \`systemctl disable --now keepalived\`, or evenkeel's unit`;

/** Not the one that started us: run as keepalived, it has that name. */
function keepaliveds(): string[] {
  const here = link("/proc/self/ns/net");
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.ppid)
    .filter((pid) => read(`/proc/${pid}/comm`).trim() === "keepalived" && link(`/proc/${pid}/ns/net`) === here)
    .map((pid) => `keepalived (process ${pid})`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
