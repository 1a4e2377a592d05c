/**
 * `track_proxy`: whether a frontend, backend or listen section of haproxy.cfg in the same program can serve. A frontend can
 * when a process accepts for it and its backend can; a backend when one of its servers is up.
 */

import type { Backend, Frontend, ProxyConfiguration } from "../../../config/model/proxy.ts";
import type { ServerStatus } from "../../../health/status.ts";
import { chain } from "../../../vrrp/verdict.ts";

export interface ProxyView {
  /** Undefined: not reported yet. */
  readonly status: (backend: string, server: string) => ServerStatus | undefined;
  /** A proxy process has taken over the listening sockets. */
  readonly accepting: boolean;
}

/** Undefined: it cannot be told yet. `cause` is a chain, root first. */
export interface Health {
  readonly up: boolean;
  readonly cause: string;
}

/** @param name a `listen` section is both a frontend and a backend, and must serve as both */
export function proxyHealth(
  configuration: ProxyConfiguration | undefined,
  name: string,
  view: ProxyView,
): Health | undefined {
  const frontend = configuration?.frontends.find((one) => one.name === name);
  const backend = configuration?.backends.find((one) => one.name === name);
  if (frontend === undefined) {
    return backend === undefined
      ? { up: false, cause: `haproxy.cfg has no frontend, backend or listen ${name}` }
      : backendHealth(backend, view);
  }
  const behind = backend ?? configuration?.backends.find((one) => one.name === frontend.defaultBackend);
  return frontendHealth(frontend, behind, view);
}

function frontendHealth(frontend: Frontend, backend: Backend | undefined, view: ProxyView): Health | undefined {
  const title = `frontend ${frontend.name}`;
  if (frontend.disabled) return { up: false, cause: `${title} is disabled` };
  if (!view.accepting) return { up: false, cause: chain("no proxy process runs", `${title} accepts nobody`) };
  // What it answers itself, it can answer.
  if (backend === undefined || (backend.servers.length === 0 && frontend.stats !== undefined)) {
    return { up: true, cause: `${title} accepts` };
  }
  const health = backendHealth(backend, view);
  return health?.up === false && backend.name !== frontend.name
    ? { up: false, cause: chain(health.cause, `${title} has no server`) }
    : health;
}

function backendHealth(backend: Backend, view: ProxyView): Health | undefined {
  const title = `backend ${backend.name}`;
  if (backend.disabled) return { up: false, cause: `${title} is disabled` };
  const statuses = backend.servers.map((server) => ({
    name: server.name,
    status: view.status(backend.name, server.name),
  }));
  const up = statuses.filter(({ status }) => status?.up === true);
  if (up.length > 0) return { up: true, cause: `${title} has a server up` };
  if (statuses.some(({ status }) => status === undefined)) return undefined;
  const down = `${title} has no server up`;
  const [last] = statuses.toSorted((a, b) => (b.status?.lastChangeMs ?? 0) - (a.status?.lastChangeMs ?? 0));
  const root = last?.status && rootOf(last.name, last.status);
  return { up: false, cause: root === undefined ? down : chain(root, down) };
}

/** Of the server that went last. */
function rootOf(name: string, { text, check }: ServerStatus): string | undefined {
  if (text.startsWith("MAINT")) return `server ${name} is in maintenance`;
  if (check === undefined || check.description === "") return undefined;
  return `server ${name}: ${check.description}${check.detail === "" ? "" : `, ${check.detail}`}`;
}
