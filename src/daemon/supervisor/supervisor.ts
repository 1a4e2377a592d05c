/**
 * The supervisor of `evenkeel run`: reads the configuration, opens listening sockets, keeps the children running, applies
 * a reload, answers the control socket. Moves no packet and serves no request itself.
 *
 * Which processes exist: at most one `vrrp` and one `director`, and `nbthread` proxies.
 */

import { inMilliseconds } from "../../base/time.ts";
import type { Configuration } from "../../config/model/configuration.ts";
import type { DaemonSettings } from "../../config/model/daemon.ts";
import type { ProxyConfiguration } from "../../config/model/proxy.ts";
import type { VrrpConfiguration } from "../../config/model/vrrp.ts";
import { type PlannedChange, planLines, planReload } from "../../config/reload-plan.ts";
import type { Diagnostic } from "../../config/text/diagnostic.ts";
import type { HostSnapshot } from "../../vrrp/messages.ts";
import type { DirectorReport } from "../director/virtual-server-report.ts";
import type { DrainOrder } from "../director/virtual-servers.ts";
import { type EventBody, eventNow } from "../events.ts";
import type { Log } from "../log/log.ts";
import type { ServerReport, StopOrder } from "../messages.ts";
import { VERSION } from "../version.ts";
import { kernelProcesses } from "../vrrp/trackers/kernel-processes.ts";
import { VrrpTrackers } from "../vrrp/trackers/vrrp-trackers.ts";
import { ControlServer } from "./control.ts";
import type { DumpedState } from "./dumps.ts";
import { Listeners } from "./listeners.ts";
import { type ChildPlan, type ChildReport, ManagedChild } from "./managed-child.ts";
import { metricsText } from "./metrics.ts";
import { OnceScripts } from "./once-scripts.ts";
import { Proxies } from "./proxies.ts";
import { ConfigurationRefused, readConfiguration } from "./running-configuration.ts";
import type { ReloadOutcome, ReloadPlan, StatusReport } from "./status.ts";

export interface SupervisorOptions {
  readonly files: readonly string[];
  readonly configId: string | undefined;
  readonly socketPath: string;
  /** Nothing that an earlier process left in the layer-4 data plane is kept. */
  readonly flush: boolean;
  /** `--record`: where the vrrp process writes its inputs, absolute. */
  readonly record?: string | undefined;
  readonly log: Log;
  /** Undefined: as `evenkeel run` does. */
  readonly manner?: Manner | undefined;
}

/** What keepalived's command line asks for. */
export interface Manner {
  /** `-P`, `-C`. */
  readonly only: "vrrp" | "checkers" | undefined;
  /** `-V`: a stop leaves the addresses where they are and says nothing to the neighbours. */
  readonly keepAddresses: boolean;
  /** `-I`: a stop leaves the virtual servers in the data plane. */
  readonly keepServices: boolean;
  /** How a diagnostic reads in the log. */
  lineOf(diagnostic: Diagnostic): string;
  /** A child has started, or has ended; `died`: unasked. */
  onChild(name: string, pid: number | undefined, died?: boolean): void;
}

/** How long a stop waits for requests under way when `hard-stop-after` says nothing, milliseconds. */
const STOP_GRACE_MS = 5_000;
/** How long VIPs wait for the virtual servers behind them, milliseconds. */
const SERVICES_FIRST_MS = 2_000;
/** keepalived's `child_wait_time`. */
const CHILD_WAIT_MS = 5_000;
/** As keepalived calls them in the log, which watchers read. */
const CHILD_NAMES: Readonly<Record<string, string>> = { vrrp: "VRRP", director: "Healthcheck" };

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #listeners: Listeners;
  readonly #proxies: Proxies;
  readonly #trackers: VrrpTrackers;
  readonly #scripts: OnceScripts;
  readonly #startedAtMs = Date.now();
  readonly #statuses = new Map<string, ServerReport>();
  #configuration: Configuration = { daemon: undefined, vrrp: undefined, director: undefined, proxy: undefined };
  #control: ControlServer | undefined;
  #vrrp: ManagedChild | undefined;
  #director: ManagedChild | undefined;
  #reloading: Promise<ReloadOutcome> | undefined;
  #nextReload: Promise<ReloadOutcome> | undefined;
  #stopping: Promise<void> | undefined;
  #lastReload: (ReloadOutcome & { readonly time: string }) | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#listeners = new Listeners(options.log);
    this.#scripts = new OnceScripts(options.log);
    this.#trackers = new VrrpTrackers({
      log: options.log,
      processes: kernelProcesses,
      send: (reports) => this.#vrrp?.send({ type: "trackers", reports }),
      status: (backend, server) => this.#statuses.get(serverKey(backend, server))?.status,
      accepting: () => this.#proxies.accepting,
    });
    this.#proxies = new Proxies({
      tidy: [options.socketPath],
      statuses: () => [...this.#statuses.values()],
      start: (plan) => this.#child(plan, (child, message) => this.#heardFromProxy(child, message)),
    });
  }

  /**
   * Starts everything and resolves once every child runs, or a stop has come in between.
   *
   * @throws {ConfigurationRefused} when a file has an error; {Error} when a socket cannot be opened or a child not started.
   */
  async start(): Promise<void> {
    const { files, socketPath } = this.#options;
    const { daemon, proxy, vrrp, director } = this.#read();
    this.#configuration = { daemon, proxy, vrrp, director };
    await this.#scripts.startup(vrrp?.global);
    if (this.#stopping !== undefined) return;
    const listening = proxy === undefined ? undefined : this.#listeners.prepare(proxy);
    listening?.commit();
    this.#control = await ControlServer.open(socketPath, {
      status: () => this.status(),
      metrics: async () => metricsText(await this.status(), this.#configuration.vrrp),
      reload: () => this.reload("control socket"),
      planReload: () => this.planReload(),
      drain: (order) => this.#drain(order),
    });
    if (this.#stopping !== undefined) return this.#control.close();
    this.#publish({ kind: "started", pid: process.pid, version: VERSION, files });
    if (needsDirector(this.#configuration)) this.#director = this.#startDirector(this.#configuration);
    await this.#trackers.configure(vrrp, proxy);
    if (this.#stopping !== undefined) return;
    if (vrrp !== undefined && vrrp.instances.length > 0) {
      this.#vrrp = this.#startVrrp(vrrp, daemon?.processNames, director === undefined ? undefined : this.#director);
    }
    if (proxy !== undefined) {
      void this.#proxies.replace(this.#proxies.start(proxy, listening?.listeners ?? []), proxy);
    }
    const failed = await notReady(this.#children());
    if (failed.length === 0 || this.#stopping !== undefined) return;
    await this.stop(`${failed.join(", ")} could not be started`);
    throw new Error(`${failed.join(", ")} could not be started`);
  }

  /** Hands addresses over, finishes requests, ends every child. Asked again, it waits for requests no longer. */
  stop(cause: string): Promise<void> {
    if (this.#stopping === undefined) this.#stopping = this.#stop(cause);
    else for (const proxy of this.#proxies.all) void proxy.stop({ hardAfterMs: 0, replaced: false });
    return this.#stopping;
  }

  /** Reads the files again; a bad one changes nothing. */
  reload(cause: string): Promise<ReloadOutcome> {
    if (this.#reloading === undefined) {
      this.#reloading = this.#reload(cause).finally(() => {
        this.#reloading = undefined;
      });
      return this.#reloading;
    }
    // The one under way may have read the files before they got what this one is for.
    this.#nextReload ??= this.#reloading.then(() => {
      this.#nextReload = undefined;
      return this.reload(cause);
    });
    return this.#nextReload;
  }

  /** What `reload` would do now; a bad file is refused here too. Changes nothing. */
  async planReload(): Promise<ReloadPlan> {
    const { files, configId } = this.#options;
    try {
      const next = readConfiguration(files, configId, { write: () => undefined });
      return { result: "planned", diagnostics: [], changes: await this.#plan(next) };
    } catch (error) {
      return { result: "refused", diagnostics: refusal(error).diagnostics, changes: [] };
    }
  }

  async #plan(next: Configuration): Promise<PlannedChange[]> {
    const vrrp = (await this.#vrrp?.ask()) as StatusReport["vrrp"];
    const stateOf = (name: string) => vrrp?.instances.find((one) => one.name === name)?.state;
    return planReload(this.#configuration, next, { stateOf });
  }

  /** For keepalived's dump files. */
  async state(): Promise<DumpedState> {
    const [vrrp, director] = await Promise.all([this.#vrrp?.ask(), this.#director?.ask()]);
    return {
      configuration: this.#configuration,
      vrrp: vrrp as HostSnapshot | undefined,
      director: director as DirectorReport | undefined,
      pids: { vrrp: this.#vrrp?.pid, checker: this.#director?.pid },
    };
  }

  async status(): Promise<StatusReport> {
    const [vrrp, director, proxy] = await Promise.all([
      this.#vrrp?.ask(),
      this.#configuration.director === undefined ? undefined : this.#director?.ask(),
      this.#proxies.statistics(),
    ]);
    return {
      version: VERSION,
      node: process.version,
      pid: process.pid,
      startedAt: new Date(this.#startedAtMs).toISOString(),
      uptimeSeconds: Math.floor((Date.now() - this.#startedAtMs) / 1000),
      files: this.#options.files,
      lastReload: this.#lastReload,
      processes: this.#children().map((child) => ({
        name: child.plan.name,
        pid: child.pid,
        startedAt: new Date(child.startedAtMs).toISOString(),
        restarts: child.restarts,
        retiring: this.#proxies.isRetiring(child),
      })),
      vrrp: vrrp as StatusReport["vrrp"],
      director: director as StatusReport["director"],
      proxy,
    };
  }

  async #stop(cause: string): Promise<void> {
    this.#log.write("info", "Stopping");
    this.#publish({ kind: "stopping", cause });
    this.#scripts.end();
    const hardStopAfter = this.#configuration.proxy?.global.hardStopAfter;
    const hardAfterMs = hardStopAfter === undefined ? STOP_GRACE_MS : inMilliseconds(hardStopAfter);
    // Addresses go first, while the proxies still answer: whoever comes through the VIP is served until it has moved.
    const { keepAddresses, keepServices } = this.#options.manner ?? { keepAddresses: false, keepServices: false };
    const waitMs = this.#childWaitMs();
    if (this.#vrrp !== undefined)
      await ended(this.#vrrp, { hardAfterMs: 0, replaced: false, ...(keepAddresses ? { keepAddresses } : {}) }, waitMs);
    const rest = this.#children()
      .filter((child) => child !== this.#vrrp)
      .map((child) =>
        ended(child, { hardAfterMs, replaced: false, ...(keepServices ? { orphaned: true } : {}) }, waitMs),
      );
    // Whoever comes now is refused, instead of waiting in a queue that nobody serves.
    this.#listeners.close();
    this.#trackers.close();
    await Promise.all(rest);
    await this.#scripts.shutdown(this.#configuration.vrrp?.global);
    this.#control?.close();
    if (this.#options.manner === undefined) this.#log.write("info", "Stopped evenkeel");
  }

  async #reload(cause: string): Promise<ReloadOutcome> {
    this.#log.write("info", "Reloading ...");
    if (this.#options.manner !== undefined)
      for (const file of this.#options.files) this.#log.write("info", `Configuration file ${file}`);
    const outcome = await this.#apply().catch(refusal);
    this.#lastReload = { time: new Date().toISOString(), ...outcome };
    this.#publish({ kind: "reload", result: outcome.result, cause, diagnostics: outcome.diagnostics });
    if (outcome.result === "refused") {
      for (const line of outcome.diagnostics) this.#log.write("err", line);
      this.#log.write("err", "Reload refused: the running configuration stays");
    } else this.#log.write("info", `Reload complete: ${outcome.result}`);
    return outcome;
  }

  /** What may fail goes first: nothing that runs is touched before everything new stands ready. @throws {Error} otherwise */
  async #apply(): Promise<ReloadOutcome> {
    if (this.#stopping !== undefined) throw new Error("evenkeel is stopping");
    const next = this.#read();
    const before = this.#configuration;
    const vrrpChanged = changed(before.vrrp, next.vrrp);
    const proxyChanged = changed(before.proxy, next.proxy);
    const directorChanged = changed(before.director, next.director);
    // Its FIFOs are to be told all states again, whether anything is new or not.
    const vrrpHears = vrrpChanged || before.vrrp?.global.statesToFifosOnReload === true;
    if (!vrrpChanged && !proxyChanged && !directorChanged) {
      await this.#applyVrrp(undefined, vrrpHears);
      return { result: "unchanged", diagnostics: [] };
    }
    for (const line of planLines(await this.#plan(next))) this.#log.write("info", `Reload: ${line}`);
    if (this.#stopping !== undefined) throw new Error("evenkeel is stopping");
    const listening = next.proxy === undefined ? undefined : this.#listeners.prepare(next.proxy);
    const runsVrrp = next.vrrp !== undefined && next.vrrp.instances.length > 0;
    const director = needsDirector(next) && this.#director === undefined ? this.#startDirector(next) : undefined;
    const services = next.director === undefined ? undefined : director;
    const vrrp =
      runsVrrp && this.#vrrp === undefined
        ? this.#startVrrp(next.vrrp, next.daemon?.processNames, services)
        : undefined;
    const proxies =
      next.proxy !== undefined && proxyChanged ? this.#proxies.start(next.proxy, listening?.listeners ?? []) : [];
    const started = [vrrp, director, ...proxies].filter((child) => child !== undefined);
    const failed = await notReady(started);
    if (failed.length > 0 || this.#stopping !== undefined) {
      await Promise.all(started.map((child) => ended(child, { hardAfterMs: 0, replaced: false })));
      listening?.abandon();
      throw new Error(`${failed.join(", ")} could not be started with the new configuration`);
    }
    this.#configuration = next;
    await this.#trackers.configure(next.vrrp, next.proxy);
    await this.#applyVrrp(vrrp, vrrpHears);
    await this.#applyDirector(director, { proxyChanged, directorChanged });
    if (proxyChanged) await this.#proxies.replace(proxies, next.proxy);
    if (listening === undefined) this.#listeners.close();
    else listening.commit();
    return { result: "applied", diagnostics: [] };
  }

  /** @param hears otherwise it only looks at its scripts again: a permission is no matter of the files */
  async #applyVrrp(started: ManagedChild | undefined, hears: boolean): Promise<void> {
    const { vrrp } = this.#configuration;
    const old = this.#vrrp;
    if (started !== undefined) {
      this.#vrrp = started;
      // It was started before anybody looked for what it tracks.
      started.send({ type: "trackers", reports: this.#trackers.reports() });
    } else if (vrrp === undefined || vrrp.instances.length === 0) {
      if (old !== undefined) await ended(old);
      this.#vrrp = undefined;
    } else old?.send({ type: "reconfigure", vrrp, ...(hears ? {} : { onlyScripts: true }) });
  }

  /** Servers that are gone leave before the old proxies do: both they and the new ones have accepted until here. */
  async #applyDirector(
    started: ManagedChild | undefined,
    what: { readonly proxyChanged: boolean; readonly directorChanged: boolean },
  ): Promise<void> {
    const { proxy, director } = this.#configuration;
    const old = this.#director;
    if (started !== undefined) this.#director = started;
    else if (!needsDirector(this.#configuration)) {
      if (old !== undefined) await ended(old);
      this.#director = undefined;
    } else {
      if (what.directorChanged) old?.send({ type: "reconfigure", virtualServers: director ?? null });
      if (what.proxyChanged) old?.send({ type: "reconfigure", proxy: proxy ?? null });
    }
    if (what.proxyChanged) this.#forgetServers(proxy);
  }

  #drain(order: DrainOrder): Promise<unknown> {
    if (this.#director === undefined || this.#configuration.director === undefined)
      return Promise.reject(new Error("no virtual server is configured"));
    return this.#director.drain(order);
  }

  /** @throws {ConfigurationRefused} */
  #read(): Configuration {
    const { files, configId, manner } = this.#options;
    const all = readConfiguration(files, configId, this.#log, manner);
    if (manner?.only === "vrrp") return { ...all, director: undefined };
    return manner?.only === "checkers" ? { ...all, vrrp: undefined } : all;
  }

  #childWaitMs(): number {
    const configured = this.#configuration.daemon?.childWaitTime;
    return configured === undefined ? CHILD_WAIT_MS : inMilliseconds(configured);
  }

  /** @param services whoever comes through a VIP before these are there would be refused */
  #startVrrp(first: VrrpConfiguration, names: ProcessNames, services?: ManagedChild): ManagedChild {
    return this.#child(
      {
        after: services === undefined ? undefined : this.#readyOrLate(services),
        name: "vrrp",
        main: "vrrp/main.ts",
        nodeOptions: [
          "--max-old-space-size=64",
          "--max-semi-space-size=1",
          // The threads that would help have ordinary priority: on a busy machine an advert would wait for them.
          "--no-parallel-scavenge",
          ...titled(names?.vrrp),
        ],
        descriptors: [],
        startMessage: (child) => ({
          type: "start",
          child: "vrrp",
          configuration: (child === this.#vrrp ? this.#configuration.vrrp : undefined) ?? first,
          record: this.#options.record,
          trackers: this.#trackers.reports(),
          tidy: [this.#options.socketPath],
        }),
      },
      (_, message) => this.#heard(message),
    );
  }

  #startDirector(first: Configuration): ManagedChild {
    return this.#child(
      {
        name: "director",
        main: "director/main.ts",
        nodeOptions: [
          "--max-old-space-size=128",
          "--max-semi-space-size=2",
          ...titled(first.daemon?.processNames.checker),
        ],
        descriptors: [],
        startMessage: (child) => {
          const { proxy, director } = child === this.#director ? this.#configuration : first;
          return {
            type: "start",
            child: "director",
            proxy,
            virtualServers: director,
            // A director that is started again takes over what the one before it left.
            flush: this.#options.flush && child.restarts === 0,
            statuses: [...this.#statuses.values()],
            tidy: [this.#options.socketPath],
          };
        },
      },
      (_, message) => this.#heard(message),
    );
  }

  async #readyOrLate(child: ManagedChild): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), SERVICES_FIRST_MS);
    });
    const first = await Promise.race([child.ready, late]);
    clearTimeout(timer);
    if (first !== "late") return;
    this.#log.write(
      "warning",
      `${child.plan.name} is not ready after ${SERVICES_FIRST_MS} ms; VRRP starts all the same`,
    );
  }

  #child(
    plan: Omit<ChildPlan, "onStarted" | "onReady" | "onExited" | "onMessage">,
    heard: (child: ManagedChild, message: ChildReport) => void,
  ): ManagedChild {
    const { name } = plan;
    const child: ManagedChild = new ManagedChild({
      ...plan,
      onStarted: (pid, cause) => {
        this.#log.write("info", `Starting ${CHILD_NAMES[name] ?? name} child process, pid=${pid}`);
        this.#options.manner?.onChild(name, pid);
        this.#publish({ kind: "child-started", child: name, pid, cause });
      },
      onReady: () => {
        if (child === this.#director) this.#trackers.directorHere();
        this.#trackers.refresh();
      },
      onExited: (pid, cause, restartInMs, snapshot) => {
        this.#proxies.ended(child, snapshot);
        if (child === this.#director) this.#trackers.directorGone();
        this.#trackers.refresh();
        this.#publish({ kind: "child-exited", child: name, pid, cause });
        this.#options.manner?.onChild(name, undefined, restartInMs !== undefined);
        if (restartInMs !== undefined)
          this.#log.write("alert", `${name} child process ${cause}, starting again in ${restartInMs} ms`);
      },
      onMessage: (message) => heard(child, message),
    });
    return child;
  }

  #heard(message: ChildReport): void {
    switch (message.type) {
      case "event":
        this.#control?.publish(message.event);
        break;
      case "server-status":
        this.#statuses.set(serverKey(message.report.backend, message.report.server), message.report);
        this.#proxies.broadcast(message);
        this.#trackers.refresh();
        break;
      case "virtual-server":
        this.#trackers.virtualServer(message.name, message);
        break;
      case "collect":
        break;
      default:
        message satisfies never;
    }
  }

  /** A proxy reads what strangers send: it may ask, but says nothing that others believe. */
  #heardFromProxy(child: ManagedChild, message: ChildReport): void {
    if (message.type !== "collect") return;
    this.#proxies.statistics().then(
      (statistics) => {
        if (statistics !== undefined) child.send({ type: "collected", id: message.id, statistics });
      },
      (error: unknown) => this.#log.write("err", `${child.plan.name} gave figures that make no sense: ${error}`),
    );
  }

  #children(): ManagedChild[] {
    return [this.#vrrp, this.#director, ...this.#proxies.all].filter((child) => child !== undefined);
  }

  /** States of servers that are no longer in the configuration. */
  #forgetServers(configuration: ProxyConfiguration | undefined): void {
    const known = new Set(
      configuration?.backends.flatMap((backend) => backend.servers.map((one) => serverKey(backend.name, one.name))),
    );
    for (const key of this.#statuses.keys()) if (!known.has(key)) this.#statuses.delete(key);
  }

  #publish(body: EventBody): void {
    this.#control?.publish(eventNow(body));
  }
}

type ProcessNames = DaemonSettings["processNames"] | undefined;

/** `vrrp_process_name` and its like: what ps and pidof call the process. */
const titled = (name: string | undefined): string[] => (name === undefined ? [] : [`--title=${name}`]);

/** keepalived.conf has virtual servers, or haproxy.cfg has servers to check. */
const needsDirector = ({ proxy, director }: Configuration): boolean => proxy !== undefined || director !== undefined;
const serverKey = (backend: string, server: string): string => JSON.stringify([backend, server]);
const changed = (before: unknown, after: unknown): boolean => JSON.stringify(before) !== JSON.stringify(after);

/** Names of those that have ended before they were ready. */
async function notReady(children: readonly ManagedChild[]): Promise<string[]> {
  const ready = await Promise.all(children.map((child) => child.ready));
  return children.filter((_, index) => !ready[index]).map((child) => child.plan.name);
}

/** Stops `child` and, when it is not gone in time, kills it. */
async function ended(
  child: ManagedChild,
  order: StopOrder = { hardAfterMs: 0, replaced: false },
  waitMs = CHILD_WAIT_MS,
): Promise<void> {
  const timer = setTimeout(() => child.kill(), (order.hardAfterMs ?? 0) + waitMs);
  await child.stop(order);
  clearTimeout(timer);
}

const refusal = (error: unknown): ReloadOutcome => ({
  result: "refused",
  diagnostics:
    error instanceof ConfigurationRefused ? error.lines : [error instanceof Error ? error.message : String(error)],
});
