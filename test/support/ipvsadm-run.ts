/** Our ipvsadm over tables in memory, on a machine that knows the names which the captures' machine knew. */

import { type IpAddress, type Ipv4Address, parseIp } from "../../src/base/ip.ts";
import { ipvsadm, ipvsadmRestore } from "../../src/cli/ipvsadm.ts";
import type { Resolver } from "../../src/cli/ipvsadm-names.ts";
import type { ManyPlane } from "../../src/cli/ipvsadm-restore.ts";
import { addressText } from "../../src/director/listing.ts";
import { capturedHosts, namesOf, portsByNumber } from "./ipvsadm-captures.ts";
import { openTables } from "./tables.ts";

export interface Outcome {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Machine {
  readonly plane: ManyPlane;
  readonly opened: ReturnType<typeof openTables>;
  run(words: readonly string[], stdin?: string): Promise<Outcome>;
  /** `ipvsadm-restore`. */
  restore(stdin: string): Promise<Outcome>;
}

export function machine({ terminal = false }: { readonly terminal?: boolean } = {}): Machine {
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
        terminal,
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
    opened,
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
