/**
 * The plane that `openPlane` gives: `Tables` over the pinned maps, under the lock, with programs on the interfaces and rules
 * for firewall marks exactly while something needs them.
 */

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { IpAddress } from "../../base/ip.ts";
import type {
  ConnectionEntry,
  ServerKey,
  ServerSettings,
  ServerSpec,
  ServiceEntry,
  ServiceKey,
  ServiceSettings,
  TableStatus,
  Timeouts,
} from "../../director/plane.ts";
import { DEFAULT_TIMEOUTS } from "../../director/settings.ts";
import type { GoneServer, TablesPort } from "../../director/store.ts";
import { Tables } from "../../director/tables.ts";
import { bpfProblem, probeBpf } from "../../sys/bpf-probe.ts";
import { readInterfaces } from "../../sys/interfaces.ts";
import { tryLockFile } from "../../sys/lock-file.ts";
import { Attachments } from "./attachments.ts";
import type { ChangeLock } from "./change-lock.ts";
import { type LoadedPlane, loadPlane } from "./loaded.ts";
import { MarkRules } from "./mark-rules.ts";
import { type OpenedPlane, type PlaneOptions, PlaneUnavailable } from "./opened-plane.ts";
import { type Pins, type PlanePlace, removePlane } from "./place.ts";
import { ResetSender } from "./reset-sender.ts";

/** No program of the kernel runs nearly as long: they end within the softirq that they began in. */
const SETTLED_MS = 20;

export interface PinnedPlaneOptions {
  readonly place: PlanePlace;
  readonly pins: Pins;
  readonly lock: ChangeLock;
  /** A daemon's hold on the plane. */
  readonly held: Disposable | undefined;
  readonly options: PlaneOptions;
}

export class PinnedPlane implements OpenedPlane {
  readonly #place: PlanePlace;
  readonly #pins: Pins;
  readonly #lock: ChangeLock;
  readonly #held: Disposable | undefined;
  readonly #options: PlaneOptions;
  readonly #rules: MarkRules;
  readonly #resets: ResetSender;
  #loaded: LoadedPlane;
  #tables: Tables;
  #attachments: Attachments;
  #locals: ReadonlySet<IpAddress> = new Set();
  #open = true;

  /** Under the lock. @throws PlaneUnavailable, BpfLoadError, SystemError */
  constructor({ place, pins, lock, held, options }: PinnedPlaneOptions) {
    this.#place = place;
    this.#pins = pins;
    this.#lock = lock;
    this.#held = held;
    this.#options = options;
    this.#rules = new MarkRules(pins, (text) => this.#say(text));
    this.#resets = new ResetSender({
      targets: (servers) => this.#tables.resetTargets(servers),
      stays: options.role === "daemon",
      say: (text) => this.#say(text),
    });
    const { loaded, tables, attachments } = this.#load();
    this.#loaded = loaded;
    this.#tables = tables;
    this.#attachments = attachments;
  }

  addService(key: ServiceKey, settings: ServiceSettings): void {
    this.#change(() => this.#tables.addService(key, settings));
  }

  editService(key: ServiceKey, settings: ServiceSettings): void {
    this.#change(() => this.#tables.editService(key, settings));
  }

  deleteService(key: ServiceKey): void {
    this.#change(() => this.#tables.deleteService(key));
  }

  addServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void {
    this.#change(() => this.#tables.addServer(service, key, settings));
  }

  editServer(service: ServiceKey, key: ServerKey, settings: ServerSettings): void {
    this.#change(() => this.#tables.editServer(service, key, settings));
  }

  deleteServer(service: ServiceKey, key: ServerKey): void {
    this.#change(() => this.#tables.deleteServer(service, key));
  }

  replaceServers(service: ServiceKey, servers: readonly ServerSpec[]): void {
    this.#change(() => this.#tables.replaceServers(service, servers));
  }

  flush(): void {
    this.exclusively(() => {
      const { keeps } = this.#tables;
      if (keeps || this.#options.role === "daemon") this.#change(() => this.#tables.flush());
      else this.#empty();
    });
  }

  zero(key?: ServiceKey): void {
    this.exclusively(() => this.#tables.zero(key));
  }

  services(): readonly ServiceEntry[] {
    return this.#tables.services();
  }

  service(key: ServiceKey): ServiceEntry | undefined {
    return this.#tables.service(key);
  }

  connections(): Iterable<ConnectionEntry> {
    return this.#tables.connections();
  }

  timeouts(): Timeouts {
    return this.#tables.timeouts();
  }

  setTimeouts(timeouts: Timeouts): void {
    this.exclusively(() => this.#tables.setTimeouts(timeouts));
  }

  table(): TableStatus {
    return this.#tables.table();
  }

  exclusively<T>(work: () => T): T {
    return this.#lock.exclusively(() => {
      this.#reload();
      return work();
    });
  }

  attachMissing(): void {
    this.exclusively(() => {
      const interfaces = this.#readMachine();
      this.#tables.readdress();
      if (this.#attachments.attached) this.#attachments.attach(interfaces, this.#tables.needs().outward, false);
    });
  }

  clear(): void {
    this.exclusively(() => {
      this.#tables.setTimeouts(DEFAULT_TIMEOUTS);
      this.#empty();
    });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#lock.exclusively(() => {
      if (existsSync(this.#pins.root) && this.#isUnused() && this.#isOnlyOne()) this.#unload();
    });
    this.#resets.close();
    this.#loaded.close();
    this.#held?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #empty(): void {
    this.#tables.flush();
    this.#resets.finish();
    this.#settle();
    if (this.#isOnlyOne()) this.#unload();
  }

  /** What a change leaves to do is done once, after the last of several. */
  #change(work: () => void): void {
    this.exclusively(() => {
      work();
      this.#lock.finally(this.#settle);
    });
  }

  /** A command that found nothing in use has removed what was pinned: then it is made again. */
  #reload(): void {
    if (existsSync(this.#pins.root)) return;
    const old = this.#loaded;
    const { loaded, tables, attachments } = this.#load();
    this.#loaded = loaded;
    this.#tables = tables;
    this.#attachments = attachments;
    old.close();
  }

  #load(): { readonly loaded: LoadedPlane; readonly tables: Tables; readonly attachments: Attachments } {
    const port: TablesPort = {
      now: () => process.hrtime.bigint(),
      exclusively: (work) => this.#lock.exclusively(work),
      settle: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SETTLED_MS),
      isLocal: (address) => this.#locals.has(address) || address.startsWith("127.") || address === "::1",
    };
    const interfaces = this.#readMachine();
    const loaded = loadOrExplain(() =>
      loadPlane({
        place: this.#place,
        pins: this.#pins,
        capacity: this.#options.capacity,
        say: (text) => this.#say(text),
        port,
        mayReplace: () => this.#isOnlyOne(),
      }),
    );
    try {
      const gone = (servers: readonly GoneServer[]) => this.#resets.add(servers);
      const tables = new Tables(loaded.set, { ...port, gone });
      const attachments = new Attachments(this.#pins, loaded, this.#options.method);
      tables.readdress();
      restoreTimeouts(this.#place.timeouts, tables);
      const { services, marks, outward } = tables.needs();
      if (services > 0) attachments.attach(interfaces, outward, loaded.renewed);
      else attachments.detach();
      if (loaded.renewed || this.#held !== undefined) loaded.revive();
      this.#rules.require(marks);
      return { loaded, tables, attachments };
    } catch (error) {
      loaded.close();
      throw error;
    }
  }

  #say(text: string): void {
    this.#options.say?.(text);
  }

  readonly #settle = (): void => {
    const { services, marks, outward } = this.#tables.needs();
    const { attached } = this.#attachments;
    if (services === 0) {
      if (attached) this.#attachments.detach();
    } else if (!attached || outward !== this.#attachments.outward) {
      this.#attachments.attach(this.#readMachine(), outward, false);
    }
    this.#rules.require(marks);
    this.#resets.start();
  };

  #readMachine() {
    const interfaces = readInterfaces();
    this.#locals = new Set(interfaces.values().flatMap(({ addresses }) => addresses.map(({ address }) => address)));
    return interfaces.values();
  }

  /** Nobody else would miss it. A command that has just opened it opens it anew when it next changes something. */
  #isOnlyOne(): boolean {
    if (this.#held !== undefined) return true;
    const daemon = tryLockFile(this.#place.daemon);
    daemon?.[Symbol.dispose]();
    return daemon !== undefined;
  }

  #isUnused(): boolean {
    return this.#tables.needs().services === 0 && this.#tables.table().connections === 0;
  }

  #unload(): void {
    saveTimeouts(this.#place.timeouts, this.#tables);
    this.#attachments.detach();
    this.#rules.require([]);
    removePlane(this.#place, this.#pins);
  }
}

/** Time-outs outlive services and connections, as with IPVS, where they are the kernel's: in a file, while there is no plane. */
function saveTimeouts(file: string, tables: Tables): void {
  const timeouts = tables.timeouts();
  if (JSON.stringify(timeouts) === JSON.stringify(DEFAULT_TIMEOUTS)) return;
  writeFileSync(`${file}.new`, JSON.stringify(timeouts), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function restoreTimeouts(file: string, tables: Tables): void {
  if (!existsSync(file)) return;
  tables.setTimeouts(JSON.parse(readFileSync(file, "utf8")) as Timeouts);
  rmSync(file);
}

/** The kernel is asked what it lacks only when something went wrong: that takes its time. */
function loadOrExplain<T>(load: () => T): T {
  try {
    return load();
  } catch (error) {
    const problem = bpfProblem(probeBpf());
    if (problem === undefined) throw error;
    throw new PlaneUnavailable("kernel", problem, { cause: error });
  }
}
