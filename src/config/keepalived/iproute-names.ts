/**
 * Names of routing tables, protocols, scopes and DS fields: those of /etc/iproute2 where the machine has them, and
 * iproute2's own where it has not. A name is read once.
 */

import type { ConfigurationFiles } from "../text/files.ts";

type Kind = "rt_tables" | "rt_protos" | "rt_scopes" | "rt_dsfield";

/** Debian keeps its own in /usr/share or /usr/lib since iproute2 6.7; /etc comes before them. */
const FOLDERS = ["/usr/share/iproute2", "/usr/lib/iproute2", "/etc/iproute2"] as const;

const BUILT_IN: Readonly<Record<Kind, Readonly<Record<string, number>>>> = {
  rt_tables: { unspec: 0, default: 253, main: 254, local: 255 },
  rt_protos: {
    ...{ unspec: 0, redirect: 1, kernel: 2, boot: 3, static: 4, gated: 8, ra: 9, mrt: 10, zebra: 11, bird: 12 },
    ...{ dnrouted: 13, xorp: 14, ntk: 15, dhcp: 16, keepalived: 18, babel: 42, openr: 99, bgp: 186, isis: 187 },
    ...{ ospf: 188, rip: 189, eigrp: 192 },
  },
  rt_scopes: { global: 0, universe: 0, site: 200, link: 253, host: 254, nowhere: 255 },
  rt_dsfield: {},
};

/** Values are numbers of so many bits. */
const BITS: Readonly<Record<Kind, number>> = { rt_tables: 32, rt_protos: 8, rt_scopes: 8, rt_dsfield: 8 };

const MOST_NAMES = 4_096;

export class IprouteNames {
  readonly #files: ConfigurationFiles;
  readonly #known = new Map<Kind, ReadonlyMap<string, number>>();

  constructor(files: ConfigurationFiles) {
    this.#files = files;
  }

  /** The number that `text` is or stands for. */
  number(kind: Kind, text: string): number | undefined {
    const limit = 2 ** BITS[kind];
    // DS fields are hexadecimal in iproute2 with or without 0x; keepalived takes `tos 8` and `tos 0x10` as C does.
    if (/^(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})$/.test(text)) return Number(text) < limit ? Number(text) : undefined;
    return this.#namesOf(kind).get(text);
  }

  #namesOf(kind: Kind): ReadonlyMap<string, number> {
    const known = this.#known.get(kind);
    if (known !== undefined) return known;
    const names = new Map(Object.entries(BUILT_IN[kind]));
    for (const folder of FOLDERS) {
      const file = this.#files.read(`${folder}/${kind}`);
      if (!file.ok) continue;
      for (const [name, value] of namesIn(new TextDecoder().decode(file.value), 2 ** BITS[kind]))
        if (names.size < MOST_NAMES) names.set(name, value);
    }
    this.#known.set(kind, names);
    return names;
  }
}

function* namesIn(text: string, limit: number): Generator<[string, number]> {
  for (const [, value = "", name = ""] of text.matchAll(/^[ \t]*(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})[ \t]+([^\s#]+)/gm))
    if (Number(value) < limit) yield [name, Number(value)];
}
