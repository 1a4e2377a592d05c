/**
 * Blocks outside the instances that concern the host's network: `static_ipaddress`, `static_routes`, `static_rules`,
 * `interface_up_down_delays`, `garp_group` (keepalived.conf(5)). They may stand anywhere in the file.
 */

import { seconds } from "../../base/time.ts";
import type { VirtualRoute, VirtualRule } from "../model/route.ts";
import type { GarpGroup, InterfaceDelay, VirtualAddress, VrrpConfiguration } from "../model/vrrp.ts";
import { readAddress } from "./addresses.ts";
import type { IprouteNames } from "./iproute-names.ts";
import { quote, type Report } from "./report.ts";
import { readRoute } from "./routes.ts";
import type { RuleReader } from "./rules.ts";
import type { Statement, Word } from "./tree.ts";
import { interfaceName, timer } from "./values.ts";
import { type Handlers, walk } from "./walk.ts";

const LONGEST_DELAY_SECONDS = 255;
const LONGEST_GAP_SECONDS = 4_294;

export class StaticsReader {
  readonly #names: IprouteNames;
  readonly #rules: RuleReader;
  readonly #defaultInterface: string;
  readonly #report: Report;
  readonly #addresses: VirtualAddress[] = [];
  readonly #routes: VirtualRoute[] = [];
  readonly #ruleList: VirtualRule[] = [];
  /** By interface: the last line counts. */
  readonly #delays = new Map<string, InterfaceDelay>();
  readonly #garpGroups: GarpGroup[] = [];
  /** Interfaces of `garpGroups`. */
  readonly #paced = new Set<string>();

  constructor(names: IprouteNames, rules: RuleReader, defaultInterface: string, report: Report) {
    this.#names = names;
    this.#rules = rules;
    this.#defaultInterface = defaultInterface;
    this.#report = report;
  }

  get blockHandlers(): Handlers {
    const report = this.#report;
    return {
      static_ipaddress: ({ block }) => {
        for (const line of block ?? []) {
          const address = readAddress(line, report);
          if (address === undefined) continue;
          const { written: _, interface: own, ...rest } = address;
          this.#addresses.push({ ...rest, interface: own ?? this.#defaultInterface });
        }
      },
      static_routes: ({ block }) => {
        for (const line of block ?? []) {
          const route = readRoute(line, { names: this.#names, kind: "static", report });
          if (route !== undefined) this.#routes.push(route);
        }
      },
      static_rules: ({ block }) => {
        for (const line of block ?? []) {
          const rule = this.#rules.read(line);
          if (rule !== undefined) this.#ruleList.push(rule);
        }
      },
      interface_up_down_delays: ({ block }) => {
        for (const line of block ?? []) this.#readDelay(line);
      },
      garp_group: (statement) => this.#readGarpGroup(statement),
    };
  }

  get statics(): VrrpConfiguration["statics"] {
    return { addresses: this.#addresses, routes: this.#routes, rules: this.#ruleList };
  }

  get interfaceDelays(): readonly InterfaceDelay[] {
    return [...this.#delays.values()];
  }

  get garpGroups(): readonly GarpGroup[] {
    return this.#garpGroups;
  }

  /** `IF DOWN [UP]`: without UP an interface counts as up at once, whatever the manual says (2.2.7). */
  #readDelay({ keyword, words: [down, up] }: Statement): void {
    const report = this.#report;
    const name = interfaceName(keyword, report);
    if (name === undefined) return;
    if (down === undefined) {
      report.warning(
        "keepalived/missing-value",
        keyword,
        `No delay for interface ${name}`,
        "Write INTERFACE DOWN [UP]",
      );
      return;
    }
    const delayOf = (word: Word | undefined) => word && timer(word, 0, LONGEST_DELAY_SECONDS, report, "no delay");
    const delay = { interface: name, down: delayOf(down) ?? seconds(0), up: delayOf(up) ?? seconds(0) };
    this.#delays.delete(name);
    this.#delays.set(name, delay);
  }

  #readGarpGroup({ keyword, block }: Statement): void {
    const report = this.#report;
    const interfaces: Word[] = [];
    let [interval, neighbourInterval] = [seconds(0), seconds(0)];
    const gap = ({ words: [word] }: Statement) => word && timer(word, 0.000_001, LONGEST_GAP_SECONDS, report, "no gap");
    walk(
      block ?? [],
      "garp_group",
      {
        garp_interval: (line) => {
          interval = gap(line) ?? interval;
        },
        gna_interval: (line) => {
          neighbourInterval = gap(line) ?? neighbourInterval;
        },
        interface: ({ words: [word] }) => {
          if (word !== undefined) interfaces.push(word);
        },
        interfaces: (lines) => {
          for (const line of lines.block ?? []) interfaces.push(line.keyword, ...line.words);
        },
      },
      report,
    );
    const number = this.#garpGroups.length;
    if (interval === 0 && neighbourInterval === 0) {
      const message = `garp group ${number} does not have any delay set - removing`;
      report.warning("keepalived/empty-garp-group", keyword, message, "Add garp_interval or gna_interval");
      return;
    }
    const names: string[] = [];
    for (const word of interfaces) {
      const name = interfaceName(word, report);
      if (name === undefined) continue;
      if (this.#paced.has(name)) {
        const message = `garp_group already specified for ${quote(name)} - ignoring`;
        report.warning("keepalived/duplicate-tracker", word, message, "Name it in one group");
      } else {
        this.#paced.add(name);
        names.push(name);
      }
    }
    if (names.length > 0) this.#garpGroups.push({ interfaces: names, interval, neighbourInterval });
  }
}
