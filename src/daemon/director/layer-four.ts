/**
 * The layer-4 half of the director: opens the data plane, runs the virtual servers in it, follows the machine's interfaces.
 *
 * The plane outlives the process: a stop that somebody ordered removes what is ours, as keepalived does; a supervisor that
 * vanished leaves everything to the process that comes next.
 */

import { setTimeout as pause } from "node:timers/promises";
import type { Result } from "../../base/result.ts";
import type { DirectorConfiguration } from "../../config/model/virtual-server.ts";
import { monotonicNow } from "../../sys/clock.ts";
import { Interfaces } from "../../sys/interfaces.ts";
import type { EventBody } from "../events.ts";
import type { Log } from "../log/log.ts";
import { type OpenedPlane, openPlane, PlaneUnavailable } from "../plane/open.ts";
import type { DirectorReport } from "./virtual-server-report.ts";
import { type DrainedServer, type DrainOrder, VirtualServers } from "./virtual-servers.ts";

export interface LayerFourOptions {
  readonly configuration: DirectorConfiguration;
  /** Clear what an earlier process left. */
  readonly flush: boolean;
  readonly log: Log;
  readonly publish: (event: EventBody) => void;
}

/** The director of a supervisor that was killed lets go of the plane as soon as it notices. */
const HELD_FOR_MS = 3_000;
const ASK_AGAIN_MS = 50;

export class LayerFour {
  readonly #plane: OpenedPlane;
  readonly #log: Log;
  readonly #interfaces: Interfaces;
  readonly #servers: VirtualServers;

  /** @throws PlaneUnavailable, SystemError */
  static async start(options: LayerFourOptions): Promise<LayerFour> {
    const capacity = options.configuration.global.connectionTableSize;
    const until = performance.now() + HELD_FOR_MS;
    for (;;) {
      try {
        const plane = openPlane({ role: "daemon", capacity, say: (text) => options.log.write("info", text) });
        return new LayerFour(plane, options);
      } catch (error) {
        const held = error instanceof PlaneUnavailable && error.reason === "held";
        if (!held || performance.now() > until) throw error;
        await pause(ASK_AGAIN_MS);
      }
    }
  }

  private constructor(plane: OpenedPlane, { configuration, flush, log, publish }: LayerFourOptions) {
    this.#plane = plane;
    this.#log = log;
    if (flush) plane.clear();
    this.#interfaces = new Interfaces({
      onChange: ({ kind }) => this.#interfaceChanged(kind),
      onError: (error) => log.write("err", error.message),
    });
    this.#servers = new VirtualServers({
      configuration,
      plane,
      log,
      publish,
      now: monotonicNow,
      random: Math.random,
      localAddresses: () => this.#localAddresses(),
    });
    plane.exclusively(() => this.#servers.start());
    this.#compareSize(configuration);
  }

  reconfigure(configuration: DirectorConfiguration): void {
    this.#plane.exclusively(() => this.#servers.reconfigure(configuration));
    this.#compareSize(configuration);
  }

  drain(order: DrainOrder): Result<DrainedServer, string> {
    return this.#servers.drain(order);
  }

  quorums(): ReturnType<VirtualServers["quorums"]> {
    return this.#servers.quorums();
  }

  report(): DirectorReport | undefined {
    return this.#stopped ? undefined : this.#servers.report();
  }

  async stop(orphaned: boolean): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#interfaces.close();
    if (orphaned) this.#servers.abandon();
    else await this.#servers.stop();
    this.#plane.close();
  }

  #stopped = false;

  /** Tables keep the size that they were made with. */
  #compareSize({ global: { connectionTableSize: wanted } }: DirectorConfiguration): void {
    const { capacity } = this.#plane.table();
    if (wanted === undefined || wanted === capacity) return;
    this.#log.write(
      "warning",
      `The connection tables hold ${capacity} connections each; connection_table_size ${wanted} counts for tables that are ` +
        "made anew, when no service and no connection is left",
    );
  }

  #interfaceChanged(kind: string): void {
    if (kind !== "link-removed") this.#plane.attachMissing();
    if (kind.startsWith("address")) this.#servers.addressesChanged();
  }

  #localAddresses(): ReadonlySet<string> {
    return new Set(
      this.#interfaces.interfaces.values().flatMap(({ addresses }) => addresses.map(({ address }) => address)),
    );
  }
}
