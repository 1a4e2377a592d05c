/** `evenkeel check`: everything that the configuration languages have to say, and what routers have to say of each other. */

import { comparePeers, reportNothingToCompare } from "../config/keepalived/peers.ts";
import type { Loaded } from "../config/load.ts";
import type { Configuration } from "../config/model/configuration.ts";
import type { DirectorConfiguration } from "../config/model/virtual-server.ts";
import { type Diagnostic, Diagnostics, worst } from "../config/text/diagnostic.ts";
import { diagnosticToJson, renderDiagnostic } from "../config/text/render.ts";
import { loadFromDisk } from "../daemon/configuration-files.ts";

export interface CheckOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly configId?: string;
  /** Each keepalived.conf is the file of another router of one LAN. */
  readonly peers?: boolean;
}

/** What is printed of one load, or of several. */
interface Checked {
  readonly diagnostics: readonly Diagnostic[];
  readonly dropped: number;
  readonly loads: readonly { readonly files: readonly string[]; readonly configuration: Configuration }[];
}

/** Sets the exit status: 0 clean (notes do not count), 1 warnings, 2 errors. */
export function check(files: readonly string[], options: CheckOptions): void {
  process.stdout.on("error", () => process.exit());
  const loadAll = (paths: readonly string[]) => loadFromDisk(paths, { configId: options.configId });
  const { diagnostics, dropped, loads } = options.peers ? checkPeers(files, loadAll) : checkedOf([loadAll(files)]);
  const verdict = worst(diagnostics);
  process.exitCode = verdict === "error" ? 2 : verdict === "warning" ? 1 : 0;
  if (options.quiet) return;
  if (options.json) {
    const report = {
      exit: process.exitCode,
      files: loads.flatMap((one) => one.files),
      dropped,
      diagnostics: diagnostics.map(diagnosticToJson),
    };
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    return;
  }
  const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  for (const diagnostic of diagnostics) process.stdout.write(renderDiagnostic(diagnostic, { colour }));
  if (dropped > 0) process.stdout.write(`… and ${dropped} more\n`);
  const count = (severity: string) => counted(diagnostics.filter((one) => one.severity === severity).length, severity);
  const counts = [count("error"), count("warning"), count("note")].join(", ");
  for (const [index, one] of loads.entries()) {
    const last = index === loads.length - 1 ? [counts] : [];
    process.stdout.write(`${one.files.join(", ")}: ${[...contentOf(one.configuration), ...last].join("; ")}\n`);
  }
}

const checkedOf = (loaded: readonly Loaded[]): Checked => ({
  diagnostics: loaded.flatMap((one) => one.diagnostics),
  dropped: loaded.reduce((sum, one) => sum + one.dropped, 0),
  loads: loaded.map(({ sources, configuration }) => ({ files: sources.map(({ name }) => name), configuration })),
});

/** One load a router. A haproxy.cfg among the files is every router's. */
export function loadRouters(
  files: readonly string[],
  loadAll: (paths: readonly string[]) => Loaded,
): { readonly path: string; readonly loaded: Loaded }[] {
  const alone = files.map((path) => ({ path, loaded: loadAll([path]) }));
  const shared = alone.filter(({ loaded }) => loaded.configuration.proxy !== undefined).map(({ path }) => path);
  const own = alone.filter(({ path }) => !shared.includes(path));
  return own.map((one) => (shared.length === 0 ? one : { ...one, loaded: loadAll([one.path, ...shared]) }));
}

function checkPeers(files: readonly string[], loadAll: (paths: readonly string[]) => Loaded): Checked {
  const own = loadRouters(files, loadAll);
  const loaded = own.map((one) => one.loaded);
  const checked = checkedOf(loaded);
  const routers = loaded.flatMap(({ configuration: { vrrp }, places }, index) =>
    vrrp === undefined || vrrp.instances.length === 0 ? [] : [{ file: own[index]?.path ?? "", model: vrrp, places }],
  );
  const between = new Diagnostics();
  comparePeers(routers, between);
  const [first] = loaded[0]?.sources ?? [];
  if (routers.length < 2 && first !== undefined) reportNothingToCompare(first, between);
  const diagnostics = [...checked.diagnostics, ...between.list];
  return { ...checked, diagnostics, dropped: checked.dropped + between.dropped };
}

function contentOf({ vrrp, director, proxy }: Configuration): string[] {
  return [
    ...(vrrp === undefined || (vrrp.instances.length === 0 && director !== undefined)
      ? []
      : [`${vrrp.instances.length} vrrp_instance, ${vrrp.syncGroups.length} vrrp_sync_group`]),
    ...(director === undefined ? [] : [virtualServers(director)]),
    ...(proxy === undefined
      ? []
      : [`${counted(proxy.frontends.length, "frontend")}, ${counted(proxy.backends.length, "backend")}`]),
  ];
}

const virtualServers = ({ virtualServers }: DirectorConfiguration): string =>
  `${virtualServers.length} virtual_server, ${virtualServers.flatMap((one) => one.realServers).length} real_server`;

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
