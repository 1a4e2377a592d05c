/**
 * Reads configuration files whatever their language: tells each one's kind from its content, loads it, and answers one
 * model with everything there is to say about the text. What `evenkeel check`, `run` and a reload start from.
 *
 * Pure: files, host name and environment variables are arguments. Never throws on what a file holds. It judges nothing
 * about exit codes and prints nothing.
 */

import { kindOf } from "./detect.ts";
import { type HaproxyContext, loadHaproxy } from "./haproxy/load.ts";
import { loadKeepalived } from "./keepalived/load.ts";
import type { Places } from "./keepalived/peers-report.ts";
import type { ReaderEnvironment } from "./keepalived/reader.ts";
import type { Reference } from "./keepalived/trackers.ts";
import type { Configuration } from "./model/configuration.ts";
import type { ProxyConfiguration } from "./model/proxy.ts";
import { type Diagnostic, Diagnostics } from "./text/diagnostic.ts";
import type { ConfigurationFiles } from "./text/files.ts";
import { readSource } from "./text/read-source.ts";
import { Source, type Span } from "./text/source.ts";
import { suggest } from "./text/suggest.ts";

/** What a configuration may ask of the machine that it is read on. */
export interface LoadEnvironment {
  readonly files: ConfigurationFiles;
  /** Of this machine; up to its first dot it is keepalived's configuration id for `@id` lines. */
  readonly hostname: string;
  /** Overrides the one from the host name (keepalived `-i`). */
  readonly configId?: string;
  /** Environment variables of the process: `${_ENV NAME}` in keepalived.conf, `"$NAME"` in haproxy.cfg. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** In [0, 1): for keepalived's `${_RANDOM}`. */
  readonly random: () => number;
}

export interface Loaded {
  readonly configuration: Configuration;
  /** Sorted by file, in the order in which files were read, then by position. An error among them: do not run this. */
  readonly diagnostics: readonly Diagnostic[];
  /** Where instances and sync groups stand, for `comparePeers`. */
  readonly places: Places;
  /** How many more there were than could be kept. */
  readonly dropped: number;
  /** Every file, each followed by what it includes; empty in place of one that could not be read. */
  readonly sources: readonly Source[];
}

/** Loads `paths` in their order; files of one kind make up one configuration. */
export function load(paths: readonly string[], environment: LoadEnvironment): Loaded {
  const diagnostics = new Diagnostics();
  const files = paths.map((path) => open(path, environment.files, diagnostics));
  const ofKind = (wanted: string) => files.filter(({ kind }) => kind === wanted).map(({ source }) => source);
  const keepalived = ofKind("keepalived");
  const haproxy = ofKind("haproxy");
  const vrrp = keepalived.length === 0 ? undefined : loadKeepalived(keepalived, readerOf(environment), diagnostics);
  const proxy = haproxy.length === 0 ? undefined : loadHaproxy(haproxy, haproxyContextOf(environment));
  if (vrrp !== undefined) checkProxies(vrrp.proxies, proxy?.model, diagnostics);
  const opened = files.map(({ source }) => source);
  const sources = inReadingOrder(opened, vrrp?.sources ?? []);
  return {
    configuration: { daemon: vrrp?.daemon, vrrp: vrrp?.model, director: vrrp?.director, proxy: proxy?.model },
    diagnostics: sorted([...diagnostics.list, ...(proxy?.diagnostics.list ?? [])], sources),
    places: vrrp?.places ?? new Map(),
    dropped: diagnostics.dropped + (proxy?.diagnostics.dropped ?? 0),
    sources,
  };
}

function readerOf({ files, hostname, configId, variables, random }: LoadEnvironment): ReaderEnvironment {
  return { files, configId: configId ?? hostname.split(".")[0] ?? "", variables, random };
}

function haproxyContextOf({ files, variables, hostname }: LoadEnvironment): HaproxyContext {
  return { files, environment: variables, hostname };
}

/** `track_proxy` follows a proxy of the same program: it has to be in a haproxy.cfg of the same load. */
function checkProxies(names: readonly Reference[], proxy: ProxyConfiguration | undefined, diagnostics: Diagnostics) {
  const known = new Set([...(proxy?.frontends ?? []), ...(proxy?.backends ?? [])].map(({ name }) => name));
  for (const { name, at } of names) {
    if (known.has(name)) continue;
    const near = suggest(name, known);
    const help =
      known.size === 0
        ? "Load the haproxy.cfg that defines it together with this file"
        : near === undefined
          ? `One of ${[...known].slice(0, 10).join(", ")}`
          : `Did you mean '${near}'?`;
    diagnostics.error(
      "keepalived/unknown-proxy",
      at.span,
      `track_proxy: no frontend, backend or listen is called '${name}'`,
      help,
    );
  }
}

interface OpenedFile {
  readonly source: Source;
  readonly kind: "keepalived" | "haproxy" | undefined;
}

function open(path: string, files: ConfigurationFiles, diagnostics: Diagnostics): OpenedFile {
  const nothing = new Source(path, "");
  const source = readSource(path, files, diagnostics, (reason) => {
    diagnostics.error("config/unreadable", { source: nothing, start: 0, end: 0 }, `File cannot be read: ${reason}`);
  });
  if (source === undefined) return { source: nothing, kind: undefined };
  const kind = kindOf(source.text);
  if (kind === undefined) reportUnknownKind(source, diagnostics);
  return { source, kind };
}

function reportUnknownKind(source: Source, diagnostics: Diagnostics): void {
  const start = { source, start: 0, end: 0 };
  const help =
    "keepalived.conf has blocks such as vrrp_instance NAME { … }, haproxy.cfg sections such as frontend NAME";
  if (/^[ \t]*[^\s#!]/m.test(source.text))
    diagnostics.error("config/unknown-kind", start, "File is neither keepalived.conf nor haproxy.cfg", help);
  else diagnostics.warning("config/empty", start, "File configures nothing", help);
}

/** Each of `files` followed by what it includes. */
function inReadingOrder(files: readonly Source[], read: readonly Source[]): Source[] {
  const top = new Set(files);
  return files.flatMap((file) => {
    const start = read.indexOf(file);
    if (start < 0) return [file];
    const end = read.findIndex((source, index) => index > start && top.has(source));
    return read.slice(start, end < 0 ? read.length : end);
  });
}

/** By file and position, each thing once: an expansion may say the same about one place many times. */
function sorted(diagnostics: readonly Diagnostic[], sources: readonly Source[]): Diagnostic[] {
  const byName = new Map(sources.map((source, index) => [source.name, index]).reverse() as [string, number][]);
  const bySource = new Map(sources.map((source, index) => [source, index]));
  const placeOf = ({ source }: Span) => bySource.get(source) ?? byName.get(source.name) ?? sources.length;
  const said = new Set<string>();
  return diagnostics
    .map((diagnostic) => ({ diagnostic, file: placeOf(diagnostic.span) }))
    .sort((a, b) => a.file - b.file || a.diagnostic.span.start - b.diagnostic.span.start)
    .filter(({ diagnostic: { code, span, message }, file }) => {
      const key = `${file} ${span.start} ${span.end} ${code} ${message}`;
      return !said.has(key) && said.add(key);
    })
    .map(({ diagnostic }) => diagnostic);
}
