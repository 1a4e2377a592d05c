/** `evenkeel check`: everything that the configuration languages have to say. */

import type { DirectorConfiguration } from "../config/model/virtual-server.ts";
import { worst } from "../config/text/diagnostic.ts";
import { diagnosticToJson, renderDiagnostic } from "../config/text/render.ts";
import { loadFromDisk } from "../daemon/configuration-files.ts";

export interface CheckOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly configId?: string;
}

/** Sets the exit status: 0 clean (notes do not count), 1 warnings, 2 errors. */
export function check(files: readonly string[], options: CheckOptions): void {
  const { configuration, diagnostics, dropped, sources } = loadFromDisk(files, { configId: options.configId });
  const verdict = worst(diagnostics);
  process.exitCode = verdict === "error" ? 2 : verdict === "warning" ? 1 : 0;
  if (options.quiet) return;
  if (options.json) {
    const report = {
      exit: process.exitCode,
      files: sources.map((source) => source.name),
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
  const { vrrp, director, proxy } = configuration;
  const content = [
    ...(vrrp === undefined || (vrrp.instances.length === 0 && director !== undefined)
      ? []
      : [`${vrrp.instances.length} vrrp_instance, ${vrrp.syncGroups.length} vrrp_sync_group`]),
    ...(director === undefined ? [] : [virtualServers(director)]),
    ...(proxy === undefined
      ? []
      : [`${counted(proxy.frontends.length, "frontend")}, ${counted(proxy.backends.length, "backend")}`]),
  ];
  process.stdout.write(`${sources.map((source) => source.name).join(", ")}: ${[...content, counts].join("; ")}\n`);
}

const virtualServers = ({ virtualServers }: DirectorConfiguration): string =>
  `${virtualServers.length} virtual_server, ${virtualServers.flatMap((one) => one.realServers).length} real_server`;

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
