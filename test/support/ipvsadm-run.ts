/** Our ipvsadm over tables in memory or in the kernel, on a machine that knows the names which the captures' machine knew. */

import assert from "node:assert/strict";
import { type IpAddress, type Ipv4Address, parseIp } from "../../src/base/ip.ts";
import { ipvsadm, ipvsadmRestore } from "../../src/cli/ipvsadm.ts";
import type { Resolver } from "../../src/cli/ipvsadm-names.ts";
import type { ManyPlane } from "../../src/cli/ipvsadm-restore.ts";
import { addressText } from "../../src/director/listing.ts";
import {
  blocksSorted,
  type CapturedCase,
  type CapturedSection,
  capturedHosts,
  namesOf,
  portsByNumber,
  wordsOf,
} from "./ipvsadm-captures.ts";
import { openTables } from "./tables.ts";

export interface Outcome {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Machine {
  readonly plane: ManyPlane;
  run(words: readonly string[], stdin?: string): Promise<Outcome>;
  /** `ipvsadm-restore`. */
  restore(stdin: string): Promise<Outcome>;
}

/** Room for all that the captures put into it. */
export function inMemory() {
  const opened = openTables({
    services: 256,
    service_states: 256,
    service_records: 256,
    servers: 512,
    server_states: 512,
    server_records: 512,
    counters: 1024,
    rates: 512,
    routes: 512,
    lists: 8192,
  });
  for (const local of ["127.0.0.1", "::1"]) opened.locals.add(local);
  const plane: ManyPlane = Object.assign(opened.tables, { exclusively: <T>(work: () => T): T => work() });
  return { plane, opened };
}

/** `plane`: in memory, if missing. */
export function machine({ plane = inMemory().plane }: { readonly plane?: ManyPlane } = {}): Machine {
  const collect = async (work: (surroundings: Parameters<typeof ipvsadm>[1]) => Promise<number>, stdin: string) => {
    const said = { stdout: "", stderr: "" };
    const exit = await work({
      paper: {
        out: (text) => {
          said.stdout += text;
        },
        err: (text) => {
          said.stderr += text;
        },
        terminal: false,
      },
      resolver: resolver(),
      input: async () => stdin,
      plane: async () => plane,
      explain: false,
    });
    return { exit, ...said };
  };
  return {
    plane,
    run: (words, stdin = "") => collect((surroundings) => ipvsadm(words, surroundings), stdin),
    restore: (stdin) => collect(ipvsadmRestore, stdin),
  };
}

function resolver(): Resolver {
  const asked = new Set<string>();
  const byAddress = new Map<IpAddress, string>();
  for (const [name, text] of Object.entries(capturedHosts())) {
    const address = parseIp(text);
    if (address !== undefined) byAddress.set(address, name);
  }
  const ports = portsByNumber();
  return {
    host: (name): Ipv4Address | "unknown" | undefined => (asked.has(name) ? namesOf.host(name) : undefined),
    port: namesOf.port,
    resolve: async (name) => {
      asked.add(name);
    },
    naming: async () => ({
      address: (address) => byAddress.get(address) ?? addressText(address),
      port: (port, protocol) => ports.get(`${port}/${protocol}`) ?? String(port),
    }),
  };
}

/**
 * Gives the section's command lines to ours and compares. Masked: the size of the table, the order of `--nosort` among
 * services (a hash there), the numbers of lines in what `-R` complains of, the text of the help, and the thresholds and
 * time-outs that only our `-S` saves.
 */
export async function playSection({ cases }: CapturedSection, { run }: Machine): Promise<void> {
  for (const one of cases) {
    if (isOfSyncDaemon(one.command)) continue;
    const outcome = await run(wordsOf(one.command), one.stdin);
    const what = `${one.command} ${one.stdin ?? ""}`;
    assert.deepEqual(comparable(outcome, one.command), comparable(expected(one), one.command), what);
  }
}

/** There is no sync daemon here, so its commands and their effects are left out. */
const isOfSyncDaemon = (command: string): boolean => /^--(start|stop)-daemon|^-L --daemon/.test(command);

const HELP = /^(ipvsadm v1\.31 .*\n)[\s\S]+$/;

function comparable({ exit, stdout, stderr }: Outcome, command: string): Outcome {
  const listing = stdout.replace(/\(size=\d+\)/, "(size=N)").replace(HELP, "$1…\n");
  return {
    exit,
    stdout: command.includes("--nosort") ? blocksSorted(listing) : withoutExtras(listing),
    stderr: command === "-R" ? stderr.replaceAll(/^line \d+: /gm, "") : stderr,
  };
}

/** What `-S` of ours saves and ipvsadm forgets. */
const withoutExtras = (saved: string): string =>
  saved.replaceAll(/^--set .*\n/gm, "").replaceAll(/^(-a .*?)(?: -x \d+)?(?: -y \d+)?$/gm, "$1");

const expected = ({ exit, stdout = "", stderr = "" }: CapturedCase): Outcome => ({ exit, stdout, stderr });
