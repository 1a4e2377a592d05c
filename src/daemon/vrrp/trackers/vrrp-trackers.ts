/**
 * What virtual routers track outside the VRRP machine: files, processes, and the program's own proxies and virtual servers.
 *
 * Lives in the supervisor and hands the vrrp process nothing but changed reports, so that no slow file system, storm of
 * processes or flapping server makes an advert late; a vrrp process that starts again gets the last word on everything.
 *
 * When the director dies its last word counts until the next one speaks. After `SILENCE_MS` without one, nobody can say:
 * that is no FAULT (the director judges, it does not serve, and the same fault might take the address from every
 * router), but earns no reward, so that a router that knows is preferred.
 */

import type { ProxyConfiguration } from "../../../config/model/proxy.ts";
import type { TrackFile } from "../../../config/model/virtual-server.ts";
import type { Tracker, VrrpConfiguration } from "../../../config/model/vrrp.ts";
import type { ServerStatus } from "../../../health/status.ts";
import type { TrackerReport } from "../../../vrrp/trackers.ts";
import type { Log } from "../../log/log.ts";
import { TrackFiles } from "../../track-files.ts";
import { type ProcessSource, ProcessTracker } from "./process-tracker.ts";
import { type Health, proxyHealth } from "./proxy-health.ts";

/** Longer than the longest back-off of a director that dies again and again. */
const SILENCE_MS = 15_000;

export interface VrrpTrackersOptions {
  readonly log: Log;
  readonly processes: ProcessSource;
  /** To the vrrp process, when there is one. */
  readonly send: (reports: readonly TrackerReport[]) => void;
  readonly status: (backend: string, server: string) => ServerStatus | undefined;
  /** A proxy process accepts. */
  readonly accepting: () => boolean;
}

type ServiceReport = Extract<TrackerReport, { readonly type: "service-state" }>;

export class VrrpTrackers {
  readonly #options: VrrpTrackersOptions;
  readonly #files: TrackFiles;
  readonly #processes: ProcessTracker;
  readonly #virtualServers = new Map<string, Health>();
  #watchedFiles: readonly TrackFile[] = [];
  #tracked: string | undefined;
  #proxies: readonly string[] = [];
  #services: readonly string[] = [];
  #proxy: ProxyConfiguration | undefined;
  /** As they were sent. */
  #told: readonly ServiceReport[] = [];
  #silence: NodeJS.Timeout | undefined;
  #silent = false;
  #begun = false;
  #everAccepted = false;

  constructor(options: VrrpTrackersOptions) {
    this.#options = options;
    this.#files = new TrackFiles(options.log, (file, value) => options.send([{ type: "file-value", file, value }]));
    this.#processes = new ProcessTracker(options.processes, options.log, (process, count) =>
      options.send([{ type: "process-count", process, count }]),
    );
  }

  /** What counts from now on. Resolves when files have been read and processes counted. */
  async configure(vrrp: VrrpConfiguration | undefined, proxy: ProxyConfiguration | undefined): Promise<void> {
    const users = vrrp === undefined ? [] : [...vrrp.instances, ...vrrp.syncGroups];
    const names = (of: "trackProxies" | "trackServices") => [
      ...new Set(users.flatMap((user): readonly Tracker[] => user[of]).map(({ name }) => name)),
    ];
    this.#proxies = names("trackProxies");
    this.#services = names("trackServices");
    this.#proxy = proxy;
    const tracked = JSON.stringify([vrrp?.trackFiles, vrrp?.trackProcesses]);
    if (tracked !== this.#tracked) {
      this.#tracked = tracked;
      this.#watchedFiles = vrrp?.trackFiles ?? [];
      this.#files.configure(this.#watchedFiles, !this.#begun);
      if (this.#begun) this.#options.send(this.#fileReports());
      await this.#processes.configure(vrrp?.trackProcesses ?? []);
    }
    if (!this.#begun) this.directorGone();
    this.#begun = true;
    this.refresh();
  }

  /** Everything that is known: what a vrrp process starts with. */
  reports(): TrackerReport[] {
    const processes = this.#processes.counts.map((one) => ({ type: "process-count", ...one }) as const);
    return [...this.#fileReports(), ...processes, ...this.#told];
  }

  #fileReports(): TrackerReport[] {
    return this.#watchedFiles.map(({ name: file }) => ({ type: "file-value", file, value: this.#files.value(file) }));
  }

  /** A server's status or the number of proxies may have changed. */
  refresh(): void {
    const now = [
      ...this.#proxies.map((name) => this.#report("proxy", name, this.#proxyHealth(name))),
      ...this.#services.map((name) =>
        this.#report("service", name, this.#silent ? undefined : this.#virtualServers.get(name)),
      ),
    ].filter((report) => report !== undefined);
    const changed = now.filter((report) => !this.#told.some((told) => isSame(told, report)));
    this.#told = now;
    if (changed.length > 0) this.#options.send(changed);
  }

  virtualServer(name: string, health: Health): void {
    this.#virtualServers.set(name, health);
    this.refresh();
  }

  directorHere(): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
    if (!this.#silent) return;
    this.#silent = false;
    this.refresh();
  }

  directorGone(): void {
    this.#silence ??= setTimeout(() => {
      this.#silent = true;
      this.refresh();
    }, SILENCE_MS).unref();
  }

  close(): void {
    clearTimeout(this.#silence);
    this.#files.close();
    this.#processes.close();
  }

  /** Without a process that accepts nothing is served, whoever knows about servers. At a start the first one is waited for. */
  #proxyHealth(name: string): Health | undefined {
    const accepting = this.#options.accepting();
    this.#everAccepted ||= accepting;
    if (!this.#everAccepted && !this.#silent) return undefined;
    const health = proxyHealth(this.#proxy, name, { status: this.#options.status, accepting });
    return this.#silent && accepting ? undefined : health;
  }

  #report(kind: ServiceReport["kind"], name: string, health: Health | undefined): ServiceReport | undefined {
    if (health !== undefined) return { type: "service-state", kind, name, up: health.up, cause: health.cause };
    if (!this.#silent) return undefined;
    const cause = `the director has said nothing of ${kind} ${name} for ${SILENCE_MS / 1_000} s`;
    return { type: "service-state", kind, name, up: null, cause };
  }
}

const isSame = (a: ServiceReport, b: ServiceReport): boolean =>
  a.kind === b.kind && a.name === b.name && a.up === b.up && a.cause === b.cause;
