/**
 * The proxy processes: those that accept, and those that finish their last connections after a reload. Keeps their figures
 * beyond their deaths.
 */

import type { ProxyConfiguration } from "../../config/model/proxy.ts";
import { mergeStatistics } from "../../proxy/merge.ts";
import type { ProxyStatistics } from "../../proxy/statistics.ts";
import { ofTheDead, onlyOf, succeed } from "../../proxy/succession.ts";
import type { InheritedListener, ServerReport, ToChild } from "../messages.ts";
import { VERSION } from "../version.ts";
import type { OpenListener } from "./listeners.ts";
import { type ChildPlan, FIRST_INHERITED_DESCRIPTOR, type ManagedChild } from "./managed-child.ts";

export type ProxyPlan = Omit<ChildPlan, "onStarted" | "onReady" | "onExited" | "onMessage">;

export interface ProxiesOptions {
  readonly tidy: string[];
  readonly statuses: () => readonly ServerReport[];
  readonly start: (plan: ProxyPlan) => ManagedChild;
}

export class Proxies {
  readonly #options: ProxiesOptions;
  readonly #all = new Set<ManagedChild>();
  readonly #retiring = new Set<ManagedChild>();
  #accepting: readonly ManagedChild[] = [];
  #configuration: ProxyConfiguration | undefined;
  #past: ProxyStatistics | undefined;

  constructor(options: ProxiesOptions) {
    this.#options = options;
  }

  get all(): readonly ManagedChild[] {
    return [...this.#all];
  }

  /** Somebody serves: one of those that accept, or before a reload is done with them, of those that will. */
  get accepting(): boolean {
    const accepting = this.#accepting.length > 0 ? this.#accepting : this.all;
    return accepting.some(({ running }) => running);
  }

  isRetiring(child: ManagedChild): boolean {
    return this.#retiring.has(child);
  }

  /** `nbthread` processes that accept from `listeners` as soon as they are ready, beside those that run. */
  start(configuration: ProxyConfiguration, listeners: readonly OpenListener[]): ManagedChild[] {
    const inherited: InheritedListener[] = listeners.map(({ frontend, bind }, index) => ({
      frontend,
      bind,
      fd: FIRST_INHERITED_DESCRIPTOR + index,
    }));
    const started = Array.from({ length: configuration.global.nbthread }, (_, index) =>
      this.#options.start({
        name: `proxy ${index + 1}`,
        main: "proxy/main.ts",
        nodeOptions: ["--max-semi-space-size=8"],
        descriptors: listeners.map((listener) => listener.descriptor),
        startMessage: () => ({
          type: "start",
          child: "proxy",
          configuration,
          listeners: inherited,
          statuses: this.#options.statuses(),
          version: VERSION,
          pid: process.pid,
          tidy: this.#options.tidy,
        }),
      }),
    );
    for (const child of started) {
      this.#all.add(child);
      void child.exited.then(() => {
        this.#all.delete(child);
        this.#retiring.delete(child);
      });
    }
    return started;
  }

  /**
   * From now on these are the proxies; the others finish what they have. Figures of what is not configured are forgotten.
   * Resolves when the others no longer listen: until then a port that this reload gave up is not free for the next one.
   */
  async replace(successors: readonly ManagedChild[], configuration: ProxyConfiguration | undefined): Promise<void> {
    const old = this.#accepting;
    this.#accepting = successors;
    this.#configuration = configuration;
    this.#past = this.#configured(this.#past);
    for (const child of old) {
      this.#retiring.add(child);
      void child.stop({ hardAfterMs: undefined, replaced: true });
    }
    // Messages are handled in their order: whoever answers has closed its listeners before.
    await Promise.all(old.map((child) => child.ask()));
  }

  broadcast(message: ToChild): void {
    for (const child of this.#all) child.send(message);
  }

  /** What the process that has ended counted is remembered. */
  ended(child: ManagedChild, last: unknown): void {
    if (last === undefined || !this.#all.has(child)) return;
    const dead = ofTheDead(last as ProxyStatistics);
    this.#past = this.#configured(this.#past === undefined ? dead : succeed(dead, this.#past));
  }

  /** The sum over all processes. Undefined before any has answered. */
  async statistics(): Promise<ProxyStatistics | undefined> {
    const ask = async (children: readonly ManagedChild[]) => {
      const answers = await Promise.all(children.map((child) => child.ask()));
      return answers.filter((answer) => answer !== undefined) as ProxyStatistics[];
    };
    // Read before anybody is asked: a process that ends meanwhile must not count twice.
    const past = this.#past === undefined ? [] : [this.#past];
    const [present, retiring] = await Promise.all([ask(this.#accepting), ask([...this.#retiring])]);
    const before = [...retiring, ...past];
    const [first, ...others] = before;
    const now = mergeStatistics(present) ?? first;
    if (now === undefined) return undefined;
    const sum = (now === first ? others : before).reduce((total, one) => succeed(total, one) ?? total, now);
    return this.#configured(sum);
  }

  #configured(statistics: ProxyStatistics | undefined): ProxyStatistics | undefined {
    if (statistics === undefined || this.#configuration === undefined) return undefined;
    return onlyOf(this.#configuration, statistics);
  }
}
