/**
 * `no_accept`: packets to and from the virtual addresses of such routers are dropped, but for neighbour discovery
 * (RFC 9568 §6.1, Accept_Mode). One nftables table a family, in the shape of keepalived 2.2.7's; all its virtual addresses
 * are in it from the start, so that nothing has to be changed when a router becomes master.
 *
 * Others may take it away (`nft flush ruleset`, a firewall that is loaded anew): it is looked for now and then and at every
 * reload, and put back. Not noticed is a change within it.
 */

import { type IpAddress, isIpv4, parseIpPrefix, prefixContains } from "../../base/ip.ts";
import type { VrrpConfiguration } from "../../config/model/vrrp.ts";
import { nft } from "../../sys/nft.ts";
import type { Log } from "../log/log.ts";

const LINK_LOCAL = parseIpPrefix("fe80::/10");

/** What is in place. */
export interface DropReport {
  /** As nft calls them: `ip keepalived`. */
  readonly tables: readonly string[];
  /** Instances whose virtual addresses do not answer on this host. */
  readonly instances: readonly string[];
}

const LOOK_EVERY_MS = 10_000;

export class DropTable {
  readonly #log: Log;
  readonly #onRestored: (tables: readonly string[]) => void;
  /** One after the other: a look must not put back what is being removed. */
  #last: Promise<void> = Promise.resolve();
  #looking: NodeJS.Timeout | undefined;
  /** What is in place: the table and its script. */
  #current: { readonly table: string; readonly script: string } | undefined;
  #report: DropReport | undefined;

  constructor(log: Log, onRestored: (tables: readonly string[]) => void) {
    this.#log = log;
    this.#onRestored = onRestored;
  }

  /** undefined while nothing is dropped. */
  get report(): DropReport | undefined {
    return this.#report;
  }

  /** One transaction: what was dropped before and still is, is dropped all the while. */
  apply(configuration: VrrpConfiguration): Promise<void> {
    return this.#inTurn(() => this.#apply(configuration));
  }

  async #apply(configuration: VrrpConfiguration): Promise<void> {
    const { table } = configuration.global.nftables;
    const script = dropScript(configuration);
    if (script === undefined) return this.#remove();
    const closed = configuration.instances.filter(({ accept }) => !accept).map(({ name }) => name);
    if (this.#current?.script === script) {
      this.#report = reportOf(script, closed);
      return this.#look();
    }
    const gone = this.#current === undefined || this.#current.table === table ? "" : removal(this.#current.table);
    const outcome = await nft(gone + removal(table) + script);
    if (outcome.type === "done") {
      this.#current = { table, script };
      this.#report = reportOf(script, closed);
      this.#looking ??= setInterval(() => void this.#inTurn(() => this.#look()), LOOK_EVERY_MS).unref();
      return;
    }
    const why = outcome.type === "missing" ? "there is no nft on this machine (package nftables)" : outcome.message;
    this.#log.write(
      "err",
      `Traffic to the virtual addresses of ${closed.join(", ")} is not dropped (no_accept): ${why}`,
    );
  }

  /** Of an earlier run, when this configuration has none itself. */
  async removeLeftover(table: string): Promise<void> {
    const listed = await nft("", ["list", "tables"]);
    if (listed.type !== "done" || !new RegExp(`^table ip6? ${table}$`, "m").test(listed.output)) return;
    this.#log.write("info", `Removing the nftables table ${table}, which an earlier run has left`);
    await nft(removal(table));
  }

  remove(): Promise<void> {
    return this.#inTurn(() => this.#remove());
  }

  async #remove(): Promise<void> {
    clearInterval(this.#looking);
    this.#looking = undefined;
    if (this.#current === undefined) return;
    const { table } = this.#current;
    this.#current = undefined;
    this.#report = undefined;
    const outcome = await nft(removal(table));
    if (outcome.type === "refused")
      this.#log.write("err", `cannot remove the nftables table ${table}: ${outcome.message}`);
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(action);
    return this.#last;
  }

  /** Is it still there? */
  async #look(): Promise<void> {
    if (this.#current === undefined || this.#report === undefined) return;
    const { table, script } = this.#current;
    const listed = await nft("", ["list", "tables"]);
    if (listed.type !== "done") return;
    const there = new Set(listed.output.split("\n"));
    const missing = this.#report.tables.filter((one) => !there.has(`table ${one}`));
    if (missing.length === 0) return;
    const what = `the nftables table ${missing.join(" and ")} (no_accept), which somebody has removed`;
    const outcome = await nft(removal(table) + script);
    if (outcome.type !== "done") {
      this.#log.write("err", `cannot put back ${what}${outcome.type === "refused" ? `: ${outcome.message}` : ""}`);
      return;
    }
    this.#log.write("warning", `Putting back ${what}`);
    this.#onRestored(missing);
  }
}

const reportOf = (script: string, instances: readonly string[]): DropReport => ({
  tables: [...script.matchAll(/^table (ip6? \S+) \{$/gm)].flatMap(([, table]) => table ?? []),
  instances,
});

/** No error when there is none: it is made first. */
const removal = (table: string): string =>
  ["ip", "ip6"].map((family) => `add table ${family} ${table}\ndelete table ${family} ${table}\n`).join("");

/** The tables; undefined when nothing is to be dropped. */
export function dropScript({ global, instances }: VrrpConfiguration): string | undefined {
  const { table, priority } = global.nftables;
  const dropped = instances
    .filter(({ accept }) => !accept)
    .flatMap(({ virtualAddresses, excludedAddresses }) => [...virtualAddresses, ...excludedAddresses]);
  const ipv4 = dropped.filter(({ address }) => isIpv4(address));
  const ipv6 = dropped.filter(({ address }) => !isIpv4(address));
  if (dropped.length === 0) return undefined;
  const hook = (name: string) => `type filter hook ${name} priority ${priority}; policy accept;`;
  const tables: string[] = [];
  if (ipv4.length > 0) {
    tables.push(`table ip ${table} {
  set vips { type ipv4_addr; ${elements(ipv4.map(({ address }) => address))} }
  chain in { ${hook("input")} ip daddr @vips drop; }
  chain out { ${hook("output")} ip saddr @vips drop; }
}
`);
  }
  if (ipv6.length > 0) {
    const local = ipv6.filter(({ address }) => isLinkLocal(address));
    const others = ipv6.filter(({ address }) => !isLinkLocal(address));
    tables.push(`table ip6 ${table} {
  set vips { type ipv6_addr; ${elements(others.map(({ address }) => address))} }
  set vips_link_local { type ipv6_addr . ifname; ${elements(local.map(({ address, interface: name }) => `${address} . "${name}"`))} }
  chain in {
    ${hook("input")}
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    ip6 daddr . iifname @vips_link_local drop
    ip6 daddr @vips drop
  }
  chain out {
    ${hook("output")}
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    ip6 saddr . oifname @vips_link_local drop
    ip6 saddr @vips drop
  }
}
`);
  }
  return tables.join("");
}

const elements = (list: readonly string[]): string =>
  list.length === 0 ? "" : `elements = { ${[...new Set(list)].join(", ")} }`;

const isLinkLocal = (address: IpAddress): boolean => LINK_LOCAL !== undefined && prefixContains(LINK_LOCAL, address);
