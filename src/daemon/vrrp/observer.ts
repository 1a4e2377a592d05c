/**
 * Drives the neighbourhood machine: listens where this host takes part, hands in what is heard and once a second how the
 * instances are, asks who else has their addresses, and tells what was found.
 *
 * Whatever goes wrong here is logged once and VRRP goes on: it diagnoses, nothing depends on it.
 */

import type { IpAddress } from "../../base/ip.ts";
import { between, inMilliseconds } from "../../base/time.ts";
import { NO_INTERFACE, type VrrpConfiguration, type VrrpInstance } from "../../config/model/vrrp.ts";
import { SystemError } from "../../sys/addon.ts";
import { monotonicNow } from "../../sys/clock.ts";
import type { NetworkInterface } from "../../sys/interfaces.ts";
import type { HostSnapshot } from "../../vrrp/messages.ts";
import type { Finding, NeighbourhoodOutput, Observation, OwnInterface } from "../../vrrp/neighbourhood/findings.ts";
import { inWords } from "../../vrrp/neighbourhood/findings.ts";
import {
  findings,
  initialNeighbourhood,
  type NeighbourhoodState,
  observe,
} from "../../vrrp/neighbourhood/neighbourhood.ts";
import { addressProbeFrame } from "../../wire/address-probe.ts";
import type { EventBody } from "../events.ts";
import type { Level, Log } from "../log/log.ts";
import { LanEar } from "./lan-ear.ts";

const TICK_MS = 1_000;
/** Findings are told at once until so many have been, then one every three seconds: what a stranger makes up fills no log. */
const MOST_TOLD = 30;
const TOLD_AGAIN_TICKS = 3;

const LEVELS: Readonly<Record<Finding["severity"], Level>> = { error: "err", warning: "warning", note: "notice" };

/** A finding with times of day, as `status` shows it. */
export type FindingReport = Omit<Finding, "since" | "lastSeen"> & {
  /** ISO 8601. */
  readonly since: string;
  readonly lastSeen: string;
};

export interface ObserverOptions {
  readonly configuration: VrrpConfiguration;
  readonly interfaces: () => ReadonlyMap<number, NetworkInterface>;
  readonly snapshot: () => HostSnapshot;
  readonly log: Log;
  readonly publish: (event: EventBody) => void;
}

export class Observer {
  readonly #options: ObserverOptions;
  readonly #ears = new Map<string, { readonly ear: LanEar; readonly key: string }>();
  readonly #complained = new Set<string>();
  #configuration: VrrpConfiguration;
  #state: NeighbourhoodState = initialNeighbourhood();
  #told = 0;
  #ticks = 0;
  #ownKey = "";
  /** What the sockets and what is known of this host were last worked out from; undefined when a socket is missing. */
  #looked: { readonly configuration: VrrpConfiguration; readonly interfaces: readonly NetworkInterface[] } | undefined;
  #closed = false;
  readonly #timer: NodeJS.Timeout;

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#configuration = options.configuration;
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    this.#look();
  }

  reconfigure(configuration: VrrpConfiguration): void {
    this.#configuration = configuration;
    this.#look();
  }

  /** What holds now, the worst first. */
  report(): FindingReport[] {
    return findings(this.#state).map((one) => ({
      ...one,
      since: timeOfDay(one.since),
      lastSeen: timeOfDay(one.lastSeen),
    }));
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { ear } of this.#ears.values()) ear.close();
    this.#ears.clear();
  }

  #tick(): void {
    this.#ticks += 1;
    if (this.#ticks % TOLD_AGAIN_TICKS === 0) this.#told = Math.max(0, this.#told - 1);
    this.#look();
    this.#observe({ type: "tick", instances: this.#options.snapshot().instances });
  }

  #observe(observation: Observation): void {
    if (this.#closed) return;
    try {
      const { state, outputs } = observe(this.#state, observation, monotonicNow());
      this.#state = state;
      for (const output of outputs) this.#perform(output);
    } catch (error) {
      // A mistake in here is none that VRRP should die of.
      this.#options.log.write(
        "alert",
        `neighbours are no longer watched: ${error instanceof Error ? error.stack : error}`,
      );
      this.close();
    }
  }

  #perform(output: NeighbourhoodOutput): void {
    switch (output.type) {
      case "found":
      case "resolved":
        this.#tell(output.type, output.finding);
        break;
      case "probe":
        this.#ask(output.interface, output.address);
        break;
      default:
        output satisfies never;
    }
  }

  #tell(type: "found" | "resolved", finding: Finding): void {
    if (this.#told >= MOST_TOLD) return;
    this.#told += 1;
    const { code, instance, severity, peer, cure } = finding;
    const text = inWords(finding);
    const where = instance ?? finding.interface;
    if (type === "found") {
      this.#options.log.write(LEVELS[severity], `(${where}) ${text} [${code}]: ${cure}`);
      const about = { code, instance, interface: finding.interface, severity, peer };
      this.#options.publish({ kind: "finding", ...about, text, cure });
    } else {
      this.#options.log.write("info", `(${where}) resolved: ${text} [${code}]`);
      this.#options.publish({ kind: "finding-resolved", code, instance, interface: finding.interface, peer, text });
    }
  }

  #ask(name: string, address: IpAddress): void {
    const mac = byName(this.#options.interfaces(), name)?.mac;
    const ear = this.#ears.get(name)?.ear;
    if (mac !== undefined && ear !== undefined) this.#try(name, () => ear.send(addressProbeFrame(mac, address)));
  }

  /** Sockets where this host takes part now, and what is its own. */
  #look(): void {
    if (this.#closed) return;
    const there = this.#options.interfaces();
    if (this.#isAsBefore(there)) {
      for (const [name, { ear }] of this.#ears) this.#try(name, () => ear.wake());
      return;
    }
    const wanted = watchedAddresses(this.#configuration);
    for (const [name, { ear }] of this.#ears) {
      if (wanted.has(name) && byName(there, name)?.index === ear.index) continue;
      ear.close();
      this.#ears.delete(name);
    }
    for (const [name, addresses] of wanted) {
      const found = byName(there, name);
      if (found !== undefined) this.#try(name, () => this.#listen(found, addresses));
    }
    const listening = [...wanted.keys()].every((name) => this.#ears.has(name) || byName(there, name) === undefined);
    this.#looked = listening ? { configuration: this.#configuration, interfaces: [...there.values()] } : undefined;
    const macs = [...there.values()].flatMap(({ mac }) => mac ?? []);
    const all = [...there.values()].flatMap((one) => one.addresses.map(({ address }) => address));
    const interfaces = [...wanted.keys()].flatMap((name): OwnInterface[] => {
      const found = byName(there, name);
      if (found === undefined) return [];
      const own = found.addresses.map(({ address }) => address);
      return [
        { name, macs: unique([...(found.mac ? [found.mac] : []), ...macs]), addresses: unique([...own, ...all]) },
      ];
    });
    const key = JSON.stringify(interfaces);
    if (key === this.#ownKey && this.#state.configuration === this.#configuration) return;
    this.#ownKey = key;
    this.#observe({ type: "own", configuration: this.#configuration, interfaces });
  }

  /** An interface that has changed is another object. */
  #isAsBefore(there: ReadonlyMap<number, NetworkInterface>): boolean {
    const before = this.#looked;
    if (before?.configuration !== this.#configuration || before.interfaces.length !== there.size) return false;
    let at = 0;
    for (const one of there.values()) if (before.interfaces[at++] !== one) return false;
    return true;
  }

  /** @throws SystemError */
  #listen({ name, index }: NetworkInterface, addresses: readonly IpAddress[]): void {
    const before = this.#ears.get(name);
    const key = addresses.join(" ");
    if (before?.key === key) {
      before.ear.wake();
      return;
    }
    const ear = new LanEar({
      interface: name,
      index,
      addresses,
      now: () => inMilliseconds(between(0 as never, monotonicNow())),
      heard: (observation) => this.#observe(observation),
      failed: () => undefined,
    });
    before?.ear.close();
    this.#ears.set(name, { ear, key });
  }

  #try(name: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // An interface that is down or just goes away is no news here.
      const key = `${name} ${error.code}`;
      if (["ENETDOWN", "ENXIO", "ENODEV", "ENOBUFS"].includes(error.code) || this.#complained.has(key)) return;
      this.#complained.add(key);
      this.#options.log.write("warning", `what goes on beside VRRP on ${name} is not seen: ${error.message}`);
    }
  }
}

/** By interface as neighbours see it: a macvlan's frames pass its base. */
function watchedAddresses(configuration: VrrpConfiguration): Map<string, IpAddress[]> {
  const watched = new Map<string, IpAddress[]>();
  const at = (name: string): IpAddress[] => {
    const known = watched.get(name) ?? [];
    watched.set(name, known);
    return known;
  };
  const place = (instance: VrrpInstance, name: string) =>
    name === instance.vmac?.interface ? instance.interface : name;
  for (const instance of configuration.instances) {
    if (instance.interface !== NO_INTERFACE) at(instance.interface);
    for (const one of [...instance.virtualAddresses, ...instance.excludedAddresses])
      at(place(instance, one.interface)).push(one.address);
  }
  return watched;
}

const byName = (there: ReadonlyMap<number, NetworkInterface>, name: string): NetworkInterface | undefined =>
  there.values().find((one) => one.name === name);

const unique = <T>(list: readonly T[]): T[] => [...new Set(list)];

const timeOfDay = (at: Finding["since"]): string =>
  new Date(Date.now() - inMilliseconds(between(at, monotonicNow()))).toISOString();
