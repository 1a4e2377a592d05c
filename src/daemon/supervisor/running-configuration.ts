/** What the files say, as far as it can be run. */

import type { Configuration } from "../../config/model/configuration.ts";
import { type Diagnostic, worst } from "../../config/text/diagnostic.ts";
import { renderDiagnostic } from "../../config/text/render.ts";
import { loadFromDisk } from "../configuration-files.ts";
import type { Log } from "../log/log.ts";
import { proxyIdentity } from "../proxy/identity.ts";

/** A configuration that cannot be run; `lines` say why, as `evenkeel check` prints them. */
export class ConfigurationRefused extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

/** Events and answers carry these lines: a file that is none at all must not make them endless. */
const MOST_LINES = 50;

/**
 * Warnings go to the log.
 * @param manner keepalived's: it runs with a configuration that asks for nothing, and waits for a better one
 * @throws {ConfigurationRefused}
 */
export function readConfiguration(
  files: readonly string[],
  configId: string | undefined,
  log: Log,
  manner?: { lineOf(diagnostic: Diagnostic): string } | undefined,
): Configuration {
  const { configuration, diagnostics } = loadFromDisk(files, { configId });
  const lines = (severity: "error" | "warning") => {
    const all = diagnostics
      .filter((one) => one.severity === severity)
      .map((one) => manner?.lineOf(one) ?? (renderDiagnostic(one, { colour: false }).split("\n")[0] ?? "").trimEnd());
    const more = all.length - MOST_LINES;
    return more > 0 ? [...all.slice(0, MOST_LINES), `… and ${more} more`] : all;
  };
  if (worst(diagnostics) === "error") throw new ConfigurationRefused(lines("error"));
  for (const line of lines("warning")) log.write("warning", line);
  const { vrrp, director, proxy } = configuration;
  if (manner === undefined && vrrp === undefined && director === undefined && proxy === undefined)
    throw new ConfigurationRefused([
      `nothing to run in ${files.join(", ")}: no vrrp_instance, no virtual_server and no frontend`,
    ]);
  if (proxy !== undefined) {
    try {
      proxyIdentity(proxy.global);
    } catch (error) {
      throw new ConfigurationRefused([String(error instanceof Error ? error.message : error)]);
    }
  }
  return { ...configuration, director: withSharedFifos(director, vrrp) };
}

/** A FIFO that both processes write to has one reader, which the vrrp process starts. */
function withSharedFifos(director: Configuration["director"], vrrp: Configuration["vrrp"]): Configuration["director"] {
  if (director === undefined || vrrp === undefined || vrrp.instances.length === 0) return director;
  const theirs = new Set(vrrp.global.notifyFifos.map(({ path }) => path));
  const fifos = director.global.fifos.map((fifo) =>
    theirs.has(fifo.path) ? { ...fifo, script: undefined, shared: true as const } : fifo,
  );
  return { ...director, global: { ...director.global, fifos } };
}
