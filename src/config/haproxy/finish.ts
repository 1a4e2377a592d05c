/**
 * Drafts → the model, and what can only be judged when everything has been read: names, modes, time-outs (the severities
 * are HAProxy 2.6's, measured; see test/fixtures/haproxy-config/verdicts.md).
 */

import type {
  Backend,
  Frontend,
  LogTarget,
  ProxyConfiguration,
  ProxyGlobal,
  Server,
  StatsPage,
} from "../model/proxy.ts";
import type { Span } from "../text/source.ts";
import { hasBackend, hasFrontend, type ProxyDraft } from "./draft.ts";
import type { GlobalDraft } from "./global.ts";
import type { Reading } from "./reading.ts";
import { didYouMean } from "./statement.ts";
import { OF_GLOBAL } from "./stats.ts";

export function finish(
  globalDraft: GlobalDraft,
  drafts: readonly ProxyDraft[],
  start: Span | undefined,
  reading: Reading,
): ProxyConfiguration {
  const { seen: _, ...rest } = globalDraft;
  const maxrewrite = Math.min(rest.maxrewrite, Math.floor(rest.bufsize / 2));
  const global: ProxyGlobal = { ...rest, maxrewrite };
  judgeNames(drafts, reading);
  const backends = new Map(drafts.filter(hasBackend).map((draft) => [draft.name, draft]));
  for (const draft of drafts) {
    if (draft.settings.disabled) continue;
    judgeTimeouts(draft, reading);
    judgeMode(draft, reading);
    if (hasFrontend(draft)) judgeFrontend(draft, backends, global.logs.length > 0, reading);
    if (hasBackend(draft)) judgeChecks(draft, reading);
  }
  const frontends = drafts.filter(hasFrontend);
  if (start !== undefined && !frontends.some((draft) => draft.binds.length > 0 && !draft.settings.disabled)) {
    const message = "nothing listens: HAProxy would not start with this configuration";
    reading.diagnostics.warning(
      "haproxy/no-listener",
      start,
      message,
      "add a 'frontend' or 'listen' with a 'bind' line",
    );
  }
  const places = placesOf(drafts);
  return {
    global,
    frontends: frontends.map((draft) => frontendOf(draft, places, global, reading)),
    backends: drafts.filter(hasBackend).map((draft) => backendOf(draft, places, global, reading)),
  };
}

type Places = ReadonlyMap<ProxyDraft, { readonly position: number; readonly id: number }>;

function placesOf(drafts: readonly ProxyDraft[]): Places {
  const ids = numbers(drafts.map(({ id }) => id));
  return new Map(drafts.map((draft, position) => [draft, { position, id: ids[position] ?? 0 }]));
}

/** A frontend and a backend may share a name; nothing else may. */
function judgeNames(drafts: readonly ProxyDraft[], { diagnostics }: Reading): void {
  const names = new Map<string, ProxyDraft>();
  const ids = new Map<number, ProxyDraft>();
  for (const draft of drafts) {
    for (const side of [...(hasFrontend(draft) ? ["frontend"] : []), ...(hasBackend(draft) ? ["backend"] : [])]) {
      const other = names.get(`${side} ${draft.name}`);
      names.set(`${side} ${draft.name}`, draft);
      if (other === undefined || draft.name === "") continue;
      const { line } = other.span.source.positionOf(other.span.start);
      const message = `'${draft.kind} ${draft.name}' has the name of the '${other.kind}' in line ${line}`;
      diagnostics.error("haproxy/duplicate-name", draft.span, message, "give each a name of its own");
      break;
    }
    if (draft.id === undefined) continue;
    const other = ids.get(draft.id);
    ids.set(draft.id, draft);
    if (other === undefined) continue;
    const span = draft.seen.get("id") ?? draft.span;
    diagnostics.error("haproxy/duplicate-id", span, `id ${draft.id} belongs to '${other.kind} ${other.name}' already`);
  }
}

function judgeTimeouts(draft: ProxyDraft, { diagnostics }: Reading): void {
  const { kind, name, settings, servers, span } = draft;
  const missing = [
    ...(hasFrontend(draft) && settings.timeouts.client === undefined ? ["client"] : []),
    ...(servers.length > 0 && settings.timeouts.connect === undefined ? ["connect"] : []),
    ...(servers.length > 0 && settings.timeouts.server === undefined ? ["server"] : []),
  ];
  if (missing.length === 0) return;
  const message = `'${kind} ${name}' has no time-out for ${missing.map((one) => `'${one}'`).join(", ")}`;
  const help = `without it a connection may stay for ever; add ${missing.map((one) => `'timeout ${one} 30s'`).join(", ")}`;
  diagnostics.warning("haproxy/missing-timeout", span, message, help);
}

/** What only means something in `mode http`. */
function judgeMode(draft: ProxyDraft, { diagnostics }: Reading): void {
  const { settings } = draft;
  if (settings.mode === "http") return;
  const ignored = (what: string, span: Span, instead = "is ignored") => {
    const message = `${what} ${instead} for '${draft.kind} ${draft.name}', which is not in 'mode http'`;
    diagnostics.warning("haproxy/needs-http-mode", span, message, "add 'mode http', or remove it");
  };
  if (settings.forwardFor !== undefined) ignored("'option forwardfor'", settings.forwardFor.span);
  if (settings.stats !== undefined) ignored("'stats'", settings.stats.span);
  if (hasBackend(draft) && settings.cookie !== undefined) ignored("'cookie'", settings.cookie.span);
  if (!hasFrontend(draft)) return;
  if (settings.monitorUri !== undefined) ignored("'monitor-uri'", settings.monitorUri.span);
  const format = settings.logFormat;
  if (format !== undefined && format.value !== "tcplog")
    ignored("'option httplog'", format.span, "becomes 'option tcplog'");
}

function judgeFrontend(
  draft: ProxyDraft,
  backends: ReadonlyMap<string, ProxyDraft>,
  globalLogs: boolean,
  { diagnostics }: Reading,
): void {
  const { settings, binds, kind, name } = draft;
  if (binds.length === 0 && !draft.seen.has("bind")) {
    const help = kind === "listen" ? "add a 'bind' line, or make it a 'backend'" : "add a 'bind' line";
    diagnostics.warning("haproxy/no-bind", draft.span, `'${kind} ${name}' listens nowhere`, help);
  }
  const logs = settings.logs.some((log) => log !== "global" || globalLogs);
  if (!logs && settings.logFormat !== undefined) {
    const message = `'${kind} ${name}' logs nowhere, and has a format for it`;
    const help = globalLogs ? "add 'log global'" : "add 'log ADDRESS FACILITY', or remove the format";
    diagnostics.warning("haproxy/no-log-target", settings.logFormat.span, message, help);
  }
  const wanted = settings.defaultBackend;
  if (wanted === undefined) return;
  const backend = backends.get(wanted.text);
  if (backend === undefined) {
    const help = didYouMean(wanted.text, backends.keys(), diagnostics) ?? `add 'backend ${wanted.text}'`;
    diagnostics.error("haproxy/unknown-backend", wanted.span, `there is no backend '${wanted.text}'`, help);
  } else if (settings.mode === "http" && backend.settings.mode === "tcp" && !backend.settings.disabled) {
    const message = `'${kind} ${name}' is in mode http, and its backend '${wanted.text}' in mode tcp`;
    diagnostics.error("haproxy/incompatible-mode", wanted.span, message, "give both the same 'mode'");
  }
}

function judgeChecks({ settings, kind, name }: ProxyDraft, { diagnostics }: Reading): void {
  if (settings.checkRule === undefined || settings.checkKind === "http") return;
  const message = `'http-check' is ignored: '${kind} ${name}' has no 'option httpchk'`;
  diagnostics.warning("haproxy/check-rules-ignored", settings.checkRule, message, "add 'option httpchk'");
}

function proxyOf(draft: ProxyDraft, places: Places, global: ProxyGlobal, reading: Reading) {
  const { settings, name, description } = draft;
  const { position, id } = places.get(draft) ?? { position: 0, id: 0 };
  const http = settings.mode === "http";
  return {
    name,
    position,
    id,
    ...(description === undefined ? {} : { description }),
    mode: settings.mode,
    disabled: settings.disabled,
    timeouts: settings.timeouts,
    connectionMode: settings.connectionMode,
    forwardFor: http ? settings.forwardFor?.value : undefined,
    logs: settings.logs.flatMap((log): readonly LogTarget[] => (log === "global" ? global.logs : [log])),
    stats: http ? statsOf(settings.stats?.value, draft, global, reading) : undefined,
    errorFiles: settings.errorFiles,
  };
}

function statsOf(
  page: StatsPage | undefined,
  draft: ProxyDraft,
  global: ProxyGlobal,
  reading: Reading,
): StatsPage | undefined {
  if (page === undefined) return undefined;
  const node = page.showNode === OF_GLOBAL ? (global.node ?? reading.hostname) : page.showNode;
  const description =
    page.showDescription === OF_GLOBAL ? (draft.description ?? global.description) : page.showDescription;
  return { ...page, showNode: node, showDescription: description };
}

function frontendOf(draft: ProxyDraft, places: Places, global: ProxyGlobal, reading: Reading): Frontend {
  const { settings } = draft;
  const http = settings.mode === "http";
  const format = settings.logFormat?.value ?? "connect";
  return {
    ...proxyOf(draft, places, global, reading),
    binds: draft.binds.map((bind) => ({ ...bind, backlog: bind.backlog ?? settings.backlog })),
    // A `listen` section hands its connections to its own backend half, unless it names another.
    defaultBackend: settings.defaultBackend?.text ?? (draft.kind === "listen" ? draft.name : undefined),
    maxconn: settings.maxconn,
    logFormat: http || format === "connect" ? format : "tcplog",
    dontLogNull: settings.dontLogNull,
    dontLogNormal: settings.dontLogNormal,
    monitorUri: http ? settings.monitorUri?.value : undefined,
  };
}

function backendOf(draft: ProxyDraft, places: Places, global: ProxyGlobal, reading: Reading): Backend {
  const { settings } = draft;
  const check = settings.checkKind === "http" ? settings.httpCheck : undefined;
  return {
    ...proxyOf(draft, places, global, reading),
    balance: settings.balance,
    cookie: settings.mode === "http" ? settings.cookie?.value : undefined,
    httpReuse: settings.httpReuse,
    retries: settings.retries,
    redispatch: settings.redispatch,
    allBackups: settings.allBackups,
    check: check === undefined ? { kind: "tcp" } : { kind: "http", ...check },
    logHealthChecks: settings.logHealthChecks,
    servers: numbered(draft),
  };
}

const numbered = ({ servers }: ProxyDraft): Server[] => {
  const ids = numbers(servers.map(({ id }) => id));
  return servers.map((server, index) => ({ ...server, id: ids[index] ?? 0 }));
};

/** What has no `id` gets the lowest that is free, from its position on, as in HAProxy. */
function numbers(given: readonly (number | undefined)[]): number[] {
  const used = new Set(given);
  let next = 1;
  return given.map((id) => {
    if (id === undefined) while (used.has(next)) next++;
    const number = id ?? next;
    used.add(number);
    next++;
    return number;
  });
}
