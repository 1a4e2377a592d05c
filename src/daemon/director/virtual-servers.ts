/**
 * All virtual servers of keepalived.conf: takes over what is in the data plane, applies a configuration and the next one,
 * leaves at a stop as keepalived does.
 *
 * One driver a virtual server. Knows nothing of processes and messages: main.ts does.
 */

import { fail, ok, type Result } from "../../base/result.ts";
import type { Duration, Instant } from "../../base/time.ts";
import type { DirectorConfiguration, VirtualServer } from "../../config/model/virtual-server.ts";
import type { Plane } from "../../director/plane.ts";
import { fileResult, type ProbeResult } from "../../health/checker.ts";
import { serverName } from "../../health/checker-lines.ts";
import type { EventBody } from "../events.ts";
import type { Log } from "../log/log.ts";
import { Mailer } from "../mail/mailer.ts";
import { NotifyFifos } from "../scripts/notify-fifos.ts";
import { NotifyQueue } from "../scripts/notify-queue.ts";
import { ScriptRunner } from "../scripts/script-runner.ts";
import { TrackFiles } from "../track-files.ts";
import { findRealServer, findVirtualServer } from "./find-server.ts";
import { dataPathOf, probeDataPath } from "./probes/data-path.ts";
import { startProbe } from "./probes/start.ts";
import { nameOf, VirtualServerDriver } from "./virtual-server-driver.ts";
import {
  type DirectorReport,
  entriesOf,
  type FindService,
  tableReport,
  virtualServerReport,
} from "./virtual-server-report.ts";

export interface VirtualServersOptions {
  readonly configuration: DirectorConfiguration;
  readonly plane: Plane;
  readonly log: Log;
  readonly publish: (event: EventBody) => void;
  readonly now: () => Instant;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Addresses of this host, for `ha_suspend`. */
  readonly localAddresses: () => ReadonlySet<string>;
}

export interface DrainOrder {
  /** As a person names them: see find-server.ts. */
  readonly virtualServer: string;
  readonly realServer: string;
  readonly drain: boolean;
  /** What is left then is reset. */
  readonly within: Duration | undefined;
}

/** As log lines and status call them. */
export interface DrainedServer {
  readonly virtualServer: string;
  readonly realServer: string;
}

/** How often a server that is drained is counted. */
const COUNT_MS = 500;
/** Scripts that still run so long after the order to stop are asked to end; the process that waits gives 5 s. */
const LONGEST_STOP_MS = 4_000;

export class VirtualServers {
  readonly #options: VirtualServersOptions;
  readonly #scripts: ScriptRunner;
  readonly #notify: NotifyQueue;
  readonly #fifos: NotifyFifos;
  readonly #files: TrackFiles;
  readonly #mailer: Mailer;
  #configuration: DirectorConfiguration;
  #drivers: VirtualServerDriver[] = [];
  #counting: NodeJS.Timeout | undefined;

  constructor(options: VirtualServersOptions) {
    this.#options = options;
    this.#configuration = options.configuration;
    this.#scripts = new ScriptRunner(options.configuration.global);
    this.#notify = new NotifyQueue(this.#scripts, options.log, options.publish);
    this.#fifos = new NotifyFifos(options.log, this.#scripts);
    this.#mailer = new Mailer(options.log);
    this.#files = new TrackFiles(options.log, (name, value) => this.#fileChanged(name, value));
  }

  start(): void {
    const { global, trackFiles, virtualServers } = this.#configuration;
    this.#settle();
    this.#mailer.configure(global.mail);
    this.#fifos.configure(global.fifos);
    this.#files.configure(trackFiles, true);
    this.#forgetOthers();
    for (const one of virtualServers) this.#drivers.push(this.#begin(one));
    this.#tellFiles();
    this.addressesChanged();
    this.#count();
  }

  /** The difference between what runs and this; what did not change keeps connections, health and weights. */
  reconfigure(configuration: DirectorConfiguration): void {
    const before = new Map(this.#drivers.map((driver) => [driver.parameters.name, driver]));
    this.#configuration = configuration;
    this.#scripts.global = configuration.global;
    this.#settle();
    this.#mailer.configure(configuration.global.mail);
    this.#fifos.configure(configuration.global.fifos);
    this.#files.configure(configuration.trackFiles, false);
    const names = new Set(configuration.virtualServers.map(({ name }) => name));
    // Those that go make room first: another may have taken over their address.
    for (const [name, driver] of before) if (!names.has(name)) driver.handle({ type: "stop" });
    this.#drivers = configuration.virtualServers.map((one) => {
      const driver = before.get(one.name);
      driver?.reconfigure(one, this.#rules());
      return driver ?? this.#begin(one);
    });
    this.#tellFiles();
    this.addressesChanged();
    this.#count();
  }

  /** Services go, scripts are told; resolves when they have ended or were cut short. */
  async stop(): Promise<void> {
    const { plane } = this.#options;
    this.#quiet();
    for (const driver of this.#drivers) driver.handle({ type: "stop" });
    if (this.#configuration.global.flushOnStop === "all") plane.flush();
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => {
      timer = setTimeout(resolve, LONGEST_STOP_MS);
    });
    await Promise.race([Promise.all([this.#notify.idle(), this.#mailer.idle()]), patience]);
    clearTimeout(timer);
    this.#mailer.close();
    this.#notify.clear();
    await this.#fifos.close();
    this.#scripts.end();
  }

  /** Leaves everything in the plane as it is, for the process that comes next. */
  abandon(): void {
    this.#quiet();
    for (const driver of this.#drivers) driver.abandon();
    this.#mailer.close();
    void this.#fifos.close();
    this.#scripts.end();
  }

  drain(order: DrainOrder): Result<DrainedServer, string> {
    const found = findVirtualServer(this.#configuration.virtualServers, order.virtualServer);
    if (!found.ok) return found;
    const driver = this.#drivers[found.value];
    if (driver === undefined) return fail(`${order.virtualServer} is not running`);
    const server = findRealServer(driver.parameters, order.realServer);
    if (!server.ok) return server;
    if (order.drain) driver.handle({ type: "drain", server: server.value, within: order.within });
    else driver.handle({ type: "undrain", server: server.value });
    this.#count();
    const key = driver.parameters.realServers[server.value]?.key;
    return ok({
      virtualServer: driver.parameters.name,
      realServer: key === undefined ? order.realServer : serverName(driver.parameters, key),
    });
  }

  /** Which of them have their quorum. */
  quorums(): readonly { readonly name: string; readonly up: boolean }[] {
    return this.#drivers.map(({ parameters, state }) => ({ name: parameters.name, up: state.quorumUp }));
  }

  report(): DirectorReport {
    const { plane } = this.#options;
    // Everything at once: thousands of services are asked for in one walk over the tables.
    const services = new Map(plane.services().map((one) => [nameOf(one.key), one]));
    const find: FindService = (key) => services.get(nameOf(key));
    return {
      virtualServers: this.#drivers.map(({ parameters, state }) => virtualServerReport(parameters, state, find)),
      table: tableReport(plane.table()),
    };
  }

  /** Suspends the checks of virtual servers with `ha_suspend` whose addresses are elsewhere. */
  addressesChanged(): void {
    const local = this.#options.localAddresses();
    for (const driver of this.#drivers) {
      const { haSuspend, services } = driver.parameters;
      const here = services.some((key) => key.kind === "mark" || local.has(key.address));
      const on = haSuspend && !here;
      if (on !== driver.state.suspended) driver.handle({ type: "suspend", on, random: this.#options.random() });
    }
  }

  #begin(virtual: VirtualServer): VirtualServerDriver {
    const { plane, log, publish, now, random } = this.#options;
    const driver = new VirtualServerDriver(virtual, this.#rules(), {
      plane,
      log,
      publish,
      now,
      random,
      notify: this.#notify,
      fifo: (line) => this.#fifos.write(line),
      mail: (mail) => this.#mailer.send(mail),
      probe: (owner, server, checker, step, report) => this.#probe(owner, server, checker, step, report),
    });
    driver.start();
    return driver;
  }

  #probe(
    virtual: VirtualServer,
    server: number,
    checker: number,
    step: number,
    report: (result: ProbeResult) => void,
  ): () => void {
    const owner = virtual.realServers[server];
    const asked = owner?.checkers[checker];
    if (owner === undefined || asked === undefined) return () => undefined;
    const through =
      "connection" in asked && asked.connection.path === "data_plane" ? dataPathOf(virtual, owner) : undefined;
    if (through === undefined || !("connection" in asked)) return startProbe(asked, step, this.#scripts, report);
    const { timeout } = asked.connection;
    let abort = startProbe(asked, step, this.#scripts, (result) => {
      if (result.ok) abort = probeDataPath(through, timeout, report);
      else report(result);
    });
    return () => abort();
  }

  #rules() {
    const { rsInitNotifies, mailEveryCheck } = this.#configuration.global;
    return { initNotifies: rsInitNotifies, mailEveryCheck };
  }

  #settle(): void {
    const { timeouts } = this.#configuration.global;
    if (timeouts.tcp + timeouts.tcpFin + timeouts.udp > 0) this.#options.plane.setTimeouts(timeouts);
  }

  /** Services that an earlier daemon made and this configuration does not name. */
  #forgetOthers(): void {
    const { plane, log } = this.#options;
    if (this.#configuration.global.flush) plane.flush();
    const named = new Set(this.#configuration.virtualServers.flatMap(({ services }) => services.map(nameOf)));
    for (const { key, settings } of plane.services()) {
      if (settings.owner !== "daemon" || named.has(nameOf(key))) continue;
      log.write("info", `Removing a virtual server that is no longer configured: ${JSON.stringify(key)}`);
      plane.deleteService(key);
    }
  }

  #tellFiles(): void {
    for (const { name } of this.#configuration.trackFiles) this.#fileChanged(name, this.#files.value(name));
  }

  #fileChanged(name: string, value: number): void {
    for (const driver of this.#drivers) {
      for (const [server, { checkers }] of driver.parameters.realServers.entries()) {
        for (const [checker, one] of checkers.entries()) {
          if (one.type !== "FILE_CHECK" || one.trackFile !== name) continue;
          driver.handle({ type: "result", server, checker, result: fileResult(one, value) });
        }
      }
    }
  }

  /** Counts what draining servers still have, for as long as there is one that is not done. */
  #count(): void {
    clearTimeout(this.#counting);
    let waiting = false;
    for (const driver of this.#drivers) {
      for (const [server, { drain }] of driver.state.servers.entries()) {
        if (drain === undefined) continue;
        driver.handle({ type: "connections", server, ...this.#connectionsOf(driver.parameters, server) });
        waiting ||= driver.state.servers[server]?.drain?.done === false;
      }
    }
    if (waiting) this.#counting = setTimeout(() => this.#count(), COUNT_MS);
  }

  #connectionsOf(virtual: VirtualServer, index: number): { active: number; inactive: number } {
    const key = virtual.realServers[index]?.key;
    const counted = key === undefined ? [] : entriesOf(virtual, key, (service) => this.#options.plane.service(service));
    return {
      active: counted.reduce((sum, one) => sum + one.active, 0),
      inactive: counted.reduce((sum, one) => sum + one.inactive, 0),
    };
  }

  #quiet(): void {
    clearTimeout(this.#counting);
    this.#files.close();
  }
}
