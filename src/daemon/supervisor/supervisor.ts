/**
 * The supervisor of `evenkeel run`: reads the configuration, opens listening sockets, keeps the children running, applies
 * a reload, answers the control socket. Moves no packet and serves no request itself.
 *
 * Which processes exist: at most one `vrrp` and one `director`, and `nbthread` proxies.
 */

import { inMilliseconds } from "../../base/time.ts";
import type { Configuration } from "../../config/model/configuration.ts";
import type { ProxyConfiguration } from "../../config/model/proxy.ts";
import { worst } from "../../config/text/diagnostic.ts";
import { renderDiagnostic } from "../../config/text/render.ts";
import { mergeStatistics } from "../../proxy/merge.ts";
import type { ProxyStatistics } from "../../proxy/statistics.ts";
import { loadFromDisk } from "../configuration-files.ts";
import { type EventBody, eventNow } from "../events.ts";
import type { Log } from "../log/log.ts";
import type { FromChild, ServerReport } from "../messages.ts";
import { VERSION } from "../version.ts";
import { ControlServer } from "./control.ts";
import { Listeners, type OpenListener } from "./listeners.ts";
import { type ChildPlan, FIRST_INHERITED_DESCRIPTOR, ManagedChild } from "./managed-child.ts";
import type { ReloadOutcome, StatusReport } from "./status.ts";

export interface SupervisorOptions {
  readonly files: readonly string[];
  readonly configId: string | undefined;
  readonly socketPath: string;
  readonly log: Log;
}

/** A configuration that cannot be run; `lines` say why, as `evenkeel check` prints them. */
export class ConfigurationRefused extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super("the configuration has errors");
    this.lines = lines;
  }
}

/** How long a stop waits for requests under way when `hard-stop-after` says nothing, milliseconds. */
const STOP_GRACE_MS = 5_000;
/** keepalived's `child_wait_time`. */
const CHILD_WAIT_MS = 5_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #log: Log;
  readonly #listeners: Listeners;
  readonly #startedAtMs = Date.now();
  readonly #statuses = new Map<string, ServerReport>();
  readonly #retired = new Set<ManagedChild>();
  #configuration: Configuration;
  #control: ControlServer | undefined;
  #vrrp: ManagedChild | undefined;
  #director: ManagedChild | undefined;
  #proxies: ManagedChild[] = [];
  #reloading: Promise<ReloadOutcome> | undefined;
  #stopping: Promise<void> | undefined;
  #lastReload: (ReloadOutcome & { readonly time: string }) | undefined;

  /**
   * Starts everything and resolves once every child runs.
   *
   * @throws {ConfigurationRefused} when a file has an error; {Error} when a socket cannot be opened.
   */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const configuration = readConfiguration(options);
    const supervisor = new Supervisor(options, configuration);
    await supervisor.#startAll();
    return supervisor;
  }

  private constructor(options: SupervisorOptions, configuration: Configuration) {
    this.#options = options;
    this.#log = options.log;
    this.#configuration = configuration;
    this.#listeners = new Listeners(options.log);
  }

  /** Hands addresses over, finishes requests, ends every child. */
  stop(cause: string): Promise<void> {
    this.#stopping ??= this.#stop(cause);
    return this.#stopping;
  }

  /** Reads the files again; a bad one changes nothing. */
  reload(cause: string): Promise<ReloadOutcome> {
    this.#reloading ??= this.#reload(cause).finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  async status(): Promise<StatusReport> {
    const [vrrp, proxies] = await Promise.all([this.#vrrp?.ask(), this.#proxyStatistics()]);
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
        retiring: this.#retired.has(child),
      })),
      vrrp: vrrp as StatusReport["vrrp"],
      proxy: proxies,
    };
  }

  async #startAll(): Promise<void> {
    const { proxy, vrrp } = this.#configuration;
    const listening = proxy === undefined ? undefined : this.#listeners.prepare(proxy);
    this.#control = await ControlServer.open(this.#options.socketPath, {
      status: () => this.status(),
      reload: () => this.reload("control socket"),
    });
    listening?.commit();
    this.#publish({ kind: "started", pid: process.pid, version: VERSION, files: this.#options.files });
    if (vrrp !== undefined && vrrp.instances.length > 0) this.#vrrp = this.#startVrrp();
    if (proxy !== undefined) {
      this.#director = this.#startDirector();
      this.#proxies = this.#startProxies(proxy, listening?.listeners ?? []);
    }
    await Promise.all(this.#children().map((child) => child.ready));
  }

  async #stop(cause: string): Promise<void> {
    this.#log.write("info", "Stopping");
    this.#publish({ kind: "stopping", cause });
    const hardStopAfter = this.#configuration.proxy?.global.hardStopAfter;
    const hardAfterMs = hardStopAfter === undefined ? STOP_GRACE_MS : inMilliseconds(hardStopAfter);
    // Addresses go first, while the proxies still answer: whoever comes through the VIP is served until it has moved.
    if (this.#vrrp !== undefined) await ended(this.#vrrp, undefined, CHILD_WAIT_MS);
    const rest = this.#children().filter((child) => child !== this.#vrrp);
    await Promise.all(rest.map((child) => ended(child, hardAfterMs, hardAfterMs + CHILD_WAIT_MS)));
    this.#listeners.close();
    this.#control?.close();
    this.#log.write("info", "Stopped evenkeel");
  }

  async #reload(cause: string): Promise<ReloadOutcome> {
    this.#log.write("info", "Reloading ...");
    const outcome = await this.#apply();
    this.#lastReload = { time: new Date().toISOString(), ...outcome };
    this.#publish({ kind: "reload", result: outcome.result, cause, diagnostics: outcome.diagnostics });
    if (outcome.result === "refused") {
      for (const line of outcome.diagnostics) this.#log.write("err", line);
      this.#log.write("err", "Reload refused: the running configuration stays");
    } else this.#log.write("info", "Reload complete");
    return outcome;
  }

  async #apply(): Promise<ReloadOutcome> {
    if (this.#stopping !== undefined) return { result: "refused", diagnostics: ["evenkeel is stopping"] };
    let next: Configuration;
    let listening: ReturnType<Listeners["prepare"]> | undefined;
    try {
      next = readConfiguration(this.#options);
      listening = next.proxy === undefined ? undefined : this.#listeners.prepare(next.proxy);
    } catch (error) {
      return { result: "refused", diagnostics: error instanceof ConfigurationRefused ? error.lines : [String(error)] };
    }
    const before = this.#configuration;
    this.#configuration = next;
    const vrrpChanged = changed(before.vrrp, next.vrrp);
    const proxyChanged = changed(before.proxy, next.proxy);
    if (vrrpChanged) await this.#applyVrrp();
    if (proxyChanged) await this.#applyProxy(listening?.listeners ?? []);
    if (listening === undefined) this.#listeners.close();
    else listening.commit();
    return { result: vrrpChanged || proxyChanged ? "applied" : "unchanged", diagnostics: [] };
  }

  async #applyVrrp(): Promise<void> {
    const { vrrp } = this.#configuration;
    if (vrrp === undefined || vrrp.instances.length === 0) {
      const old = this.#vrrp;
      this.#vrrp = undefined;
      if (old !== undefined) await ended(old, undefined, CHILD_WAIT_MS);
    } else if (this.#vrrp === undefined) {
      this.#vrrp = this.#startVrrp();
      await this.#vrrp.ready;
    } else this.#vrrp.send({ type: "reconfigure", vrrp });
  }

  /** New proxies first, then the old ones finish: both accept from the same sockets meanwhile. */
  async #applyProxy(listeners: readonly OpenListener[]): Promise<void> {
    const { proxy } = this.#configuration;
    const old = this.#proxies;
    if (proxy === undefined) {
      this.#proxies = [];
      await this.#director?.stop(0);
      this.#director = undefined;
    } else {
      if (this.#director === undefined) this.#director = this.#startDirector();
      else this.#director.send({ type: "reconfigure", proxy });
      this.#forgetServers(proxy);
      this.#proxies = this.#startProxies(proxy, listeners);
      await Promise.all(this.#proxies.map((child) => child.ready));
    }
    const hardStopAfter = proxy?.global.hardStopAfter;
    for (const child of old) {
      this.#retired.add(child);
      void child
        .stop(hardStopAfter === undefined ? undefined : inMilliseconds(hardStopAfter))
        .then(() => this.#retired.delete(child));
    }
  }

  #startVrrp(): ManagedChild {
    return this.#child({
      name: "vrrp",
      main: "vrrp/main.ts",
      nodeOptions: ["--max-old-space-size=64", "--max-semi-space-size=1"],
      descriptors: [],
      startMessage: () => {
        const configuration = this.#configuration.vrrp;
        if (configuration === undefined) throw new Error("a vrrp child without a configuration");
        return { type: "start", child: "vrrp", configuration, tidy: [this.#options.socketPath] };
      },
    });
  }

  #startDirector(): ManagedChild {
    return this.#child({
      name: "director",
      main: "director/main.ts",
      nodeOptions: ["--max-old-space-size=128", "--max-semi-space-size=2"],
      descriptors: [],
      startMessage: () => ({
        type: "start",
        child: "director",
        configuration: this.#proxyConfiguration(),
        statuses: [...this.#statuses.values()],
        tidy: [this.#options.socketPath],
      }),
    });
  }

  #startProxies(configuration: ProxyConfiguration, listeners: readonly OpenListener[]): ManagedChild[] {
    const inherited = listeners.map(({ frontend, bind }, index) => ({
      frontend,
      bind,
      fd: FIRST_INHERITED_DESCRIPTOR + index,
    }));
    return Array.from({ length: configuration.global.nbthread }, (_, index) =>
      this.#child({
        name: `proxy ${index + 1}`,
        main: "proxy/main.ts",
        nodeOptions: ["--max-semi-space-size=8"],
        descriptors: listeners.map((listener) => listener.descriptor),
        startMessage: () => ({
          type: "start",
          child: "proxy",
          configuration,
          listeners: inherited,
          statuses: [...this.#statuses.values()],
          version: VERSION,
          pid: process.pid,
          tidy: [this.#options.socketPath],
        }),
      }),
    );
  }

  #child(plan: Pick<ChildPlan, "name" | "main" | "nodeOptions" | "descriptors" | "startMessage">): ManagedChild {
    const { name } = plan;
    const child: ManagedChild = new ManagedChild({
      ...plan,
      onStarted: (pid, cause) => {
        this.#log.write("info", `Starting ${name} child process, pid=${pid}`);
        this.#publish({ kind: "child-started", child: name, pid, cause });
      },
      onExited: (pid, cause, restartInMs) => {
        this.#publish({ kind: "child-exited", child: name, pid, cause });
        if (restartInMs !== undefined)
          this.#log.write("alert", `${name} child process ${cause}, starting again in ${restartInMs} ms`);
      },
      onMessage: (message) => this.#heard(child, message),
    });
    return child;
  }

  #heard(child: ManagedChild, message: Exclude<FromChild, { type: "hello" | "ready" | "answer" }>): void {
    switch (message.type) {
      case "event":
        this.#control?.publish(message.event);
        break;
      case "server-status":
        this.#statuses.set(serverKey(message.report.backend, message.report.server), message.report);
        for (const proxy of this.#proxies) proxy.send(message);
        break;
      case "collect":
        void this.#proxyStatistics().then((statistics) => {
          if (statistics !== undefined) child.send({ type: "collected", id: message.id, statistics });
        });
        break;
      default:
        message satisfies never;
    }
  }

  async #proxyStatistics(): Promise<ProxyStatistics | undefined> {
    const answers = await Promise.all(this.#proxies.map((proxy) => proxy.ask()));
    const known = answers.filter((answer) => answer !== undefined) as ProxyStatistics[];
    return known.length === 0 ? undefined : mergeStatistics(known);
  }

  #children(): ManagedChild[] {
    return [this.#vrrp, this.#director, ...this.#proxies, ...this.#retired].filter((child) => child !== undefined);
  }

  #proxyConfiguration(): ProxyConfiguration {
    const { proxy } = this.#configuration;
    if (proxy === undefined) throw new Error("a director without a configuration");
    return proxy;
  }

  /** States of servers that are no longer in the configuration. */
  #forgetServers(configuration: ProxyConfiguration): void {
    const known = new Set(
      configuration.backends.flatMap((backend) => backend.servers.map((one) => serverKey(backend.name, one.name))),
    );
    for (const key of this.#statuses.keys()) if (!known.has(key)) this.#statuses.delete(key);
  }

  #publish(body: EventBody): void {
    this.#control?.publish(eventNow(body));
  }
}

const serverKey = (backend: string, server: string): string => JSON.stringify([backend, server]);
const changed = (before: unknown, after: unknown): boolean => JSON.stringify(before) !== JSON.stringify(after);

/** Stops `child` and, when it is not gone in time, kills it. */
async function ended(child: ManagedChild, hardAfterMs: number | undefined, killAfterMs: number): Promise<void> {
  const timer = setTimeout(() => child.kill(), killAfterMs);
  await child.stop(hardAfterMs);
  clearTimeout(timer);
}

/** Warnings go to the log; @throws {ConfigurationRefused} on errors. */
function readConfiguration(options: SupervisorOptions): Configuration {
  const { configuration, diagnostics } = loadFromDisk(options.files, { configId: options.configId });
  const lines = diagnostics
    .filter((one) => one.severity !== "note")
    .map((one) => ({
      severity: one.severity,
      line: (renderDiagnostic(one, { colour: false }).split("\n")[0] ?? "").trimEnd(),
    }));
  if (worst(diagnostics) === "error")
    throw new ConfigurationRefused(lines.filter((one) => one.severity === "error").map((one) => one.line));
  for (const { line } of lines) options.log.write("warning", line);
  if (configuration.vrrp === undefined && configuration.proxy === undefined) {
    throw new ConfigurationRefused([`nothing to run in ${options.files.join(", ")}: no vrrp_instance and no frontend`]);
  }
  return configuration;
}
