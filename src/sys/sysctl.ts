/** Settings of the kernel below /proc/sys, sysctl(8). Those of net/ are the ones of this process's network namespace. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = "/proc/sys";

/** `path` as in "net/ipv4/conf/eth0/arp_ignore". Undefined when there is no such setting. */
export function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(join(ROOT, path), "utf8").trim();
  } catch {
    return undefined;
  }
}

/** Why it could not be set; undefined when it is. */
export function writeSysctl(path: string, value: string): string | undefined {
  try {
    writeFileSync(join(ROOT, path), value);
    return undefined;
  } catch (error) {
    return `cannot set ${path} to ${value}: ${(error as NodeJS.ErrnoException).code}`;
  }
}

/** What is below it: interface names, for "net/ipv4/conf". */
export function sysctlsBelow(path: string): string[] {
  try {
    return readdirSync(join(ROOT, path));
  } catch {
    return [];
  }
}
