/**
 * The listening sockets of all proxies. The supervisor owns them and hands them down, so a reload starts new proxies on
 * the same sockets and no connection that waits in a socket's queue is lost.
 */

import type { Bind, ProxyConfiguration } from "../../config/model/proxy.ts";
import { SystemError } from "../../sys/addon.ts";
import { closeDescriptor, listenTcp, sharePort, type TcpListenOptions } from "../../sys/listen.ts";
import type { Log } from "../log/log.ts";

export interface OpenListener {
  readonly frontend: string;
  readonly bind: number;
  readonly descriptor: number;
}

export class Listeners {
  readonly #log: Log;
  #open = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Opens what `configuration` needs and is not open yet. `commit` closes what it no longer needs; `abandon` closes what
   * was opened anew.
   *
   * @throws {Error} naming the frontend and the address that cannot be listened on; nothing new stays open then.
   */
  prepare(configuration: ProxyConfiguration): { listeners: OpenListener[]; commit(): void; abandon(): void } {
    const wanted = new Map<string, number>();
    const opened: number[] = [];
    const listeners: OpenListener[] = [];
    const abandon = () => {
      for (const descriptor of opened) closeDescriptor(descriptor);
    };
    try {
      for (const frontend of configuration.frontends) {
        if (frontend.disabled) continue;
        for (const [index, bind] of frontend.binds.entries()) {
          const key = JSON.stringify([bind.address, bind.port, bind.interface, bind.v6only, bind.transparent]);
          let descriptor = this.#open.get(key) ?? wanted.get(key);
          if (descriptor === undefined) {
            descriptor = this.#listen(frontend.name, bind, [...this.#open.values(), ...opened]);
            opened.push(descriptor);
          }
          wanted.set(key, descriptor);
          listeners.push({ frontend: frontend.name, bind: index, descriptor });
        }
      }
    } catch (error) {
      abandon();
      throw error;
    }
    const commit = () => {
      for (const [key, descriptor] of this.#open) if (!wanted.has(key)) closeDescriptor(descriptor);
      this.#open = wanted;
    };
    return { listeners, commit, abandon };
  }

  close(): void {
    for (const descriptor of this.#open.values()) closeDescriptor(descriptor);
    this.#open.clear();
  }

  #listen(frontend: string, bind: Bind, ours: readonly number[]): number {
    const { address, port, v6only, transparent } = bind;
    const options = { address, port, v6only, transparent, backlog: bind.backlog ?? 4096, interface: bind.interface };
    try {
      return listenBeside(ours, options);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (error.code !== "EADDRNOTAVAIL") throw new Error(explain(frontend, bind, error));
    }
    // A VIP that another router holds now: the socket waits for it, as net.ipv4.ip_nonlocal_bind would allow.
    this.#log.write(
      "notice",
      `frontend ${frontend}: ${bind.text} is not an address of this host (yet), listening all the same`,
    );
    try {
      return listenBeside(ours, { ...options, freebind: true });
    } catch (error) {
      throw new Error(error instanceof SystemError ? explain(frontend, bind, error) : String(error));
    }
  }
}

/**
 * Our own sockets are not in the way: `*:80` may take the place of `10.0.0.1:80`, or stand beside it. Those of others are,
 * for two programs that share a port without knowing it take each other's clients; so ports are shared for this moment only.
 */
function listenBeside(ours: readonly number[], options: TcpListenOptions): number {
  try {
    return listenTcp(options);
  } catch (error) {
    if (!(error instanceof SystemError && error.code === "EADDRINUSE")) throw error;
  }
  for (const descriptor of ours) sharePort(descriptor, true);
  try {
    const descriptor = listenTcp({ ...options, reusePort: true });
    sharePort(descriptor, false);
    return descriptor;
  } finally {
    for (const descriptor of ours) sharePort(descriptor, false);
  }
}

function explain(frontend: string, bind: Bind, error: SystemError): string {
  const cure =
    error.code === "EADDRINUSE"
      ? "another program listens there: stop it, or change the port (ss -ltnp shows which)"
      : error.code === "EACCES"
        ? "ports below 1024 need root or CAP_NET_BIND_SERVICE"
        : `${error.syscall} failed`;
  return `frontend ${frontend}: cannot listen on ${bind.text}: ${error.code}: ${cure}`;
}
