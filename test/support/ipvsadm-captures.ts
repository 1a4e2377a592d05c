/** What the real ipvsadm did with many command lines, and the names that the machine knew which it ran on. */

import { readFileSync } from "node:fs";
import { type Ipv4Address, parseIpv4 } from "../../src/base/ip.ts";
import type { Names } from "../../src/config/ipvsadm/values.ts";

export interface CapturedCase {
  readonly command: string;
  readonly stdin?: string;
  readonly exit: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

export interface CapturedSection {
  readonly title: string;
  /** One after the other, beginning with empty tables. */
  readonly cases: readonly CapturedCase[];
}

interface Capture {
  readonly hosts: Readonly<Record<string, string>>;
  readonly sections: readonly CapturedSection[];
}

const CAPTURE = JSON.parse(
  readFileSync(new URL("../fixtures/ipvsadm/commands.json", import.meta.url), "utf8"),
) as Capture;

export const capturedSections = (): readonly CapturedSection[] => CAPTURE.sections;

export const wordsOf = (command: string): string[] => command.split(" ").filter((word) => word !== "");

/** Of Debian's /etc/services, as far as the command lines name them. */
const PORTS: Readonly<Record<string, number>> = {
  "http/tcp": 80,
  "https/tcp": 443,
  "http-alt/tcp": 8080,
  "domain/tcp": 53,
  "domain/udp": 53,
  "printer/tcp": 515,
  "shell/tcp": 514,
  "syslog/tcp": 514,
  "syslog/udp": 514,
};

export const namesOf: Names = {
  host: (name) => (parseIpv4(CAPTURE.hosts[name.toLowerCase()] ?? "") as Ipv4Address | undefined) ?? "unknown",
  port: (name, protocol) => PORTS[`${name}/${protocol ?? "tcp"}`],
};

export const capturedHosts = (): Readonly<Record<string, string>> => CAPTURE.hosts;

export function portsByNumber(): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const [entry, port] of Object.entries(PORTS)) {
    const [name = "", protocol = ""] = entry.split("/");
    if (!names.has(`${port}/${protocol}`)) names.set(`${port}/${protocol}`, name);
  }
  return names;
}

/** Its command lines are answered differently on purpose; docs/reference/ipvsadm.md says why. */
export const DIFFERENT = "answered differently here";

/** Services with their servers after them, in the order of the text. */
export const blocksSorted = (listing: string): string =>
  listing
    .split(/^(?=\S)/m)
    .toSorted()
    .join("");
