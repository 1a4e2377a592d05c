/**
 * `evenkeel explain`: who holds which VIP by the files of a LAN's routers, and who would after a failure, in what time and
 * why. Nothing runs and nothing is asked: `vrrp/rehearsal` tries it.
 */

import { basename, dirname, resolve } from "node:path";
import { worst } from "../config/text/diagnostic.ts";
import { renderDiagnostic } from "../config/text/render.ts";
import { loadFromDisk } from "../daemon/configuration-files.ts";
import { readFault } from "../vrrp/rehearsal/faults.ts";
import type { RehearsedHost } from "../vrrp/rehearsal/hosts.ts";
import { rehearse } from "../vrrp/rehearsal/rehearse.ts";
import { loadRouters } from "./check.ts";
import { explainJson, explainText } from "./explain-text.ts";

export interface ExplainOptions {
  readonly fail?: readonly string[];
  readonly json?: boolean;
  readonly configId?: string;
}

/** Sets the exit status: 0, or 2 for wrong usage and files that could not run. */
export function explain(files: readonly string[], options: ExplainOptions): void {
  const routers = loadRouters(files, (paths) => loadFromDisk(paths, { configId: options.configId }));
  const errors = routers.flatMap(({ loaded }) => loaded.diagnostics.filter(({ severity }) => severity === "error"));
  const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  if (worst(errors) === "error") {
    for (const error of errors) process.stderr.write(renderDiagnostic(error, { colour }));
    refuse("nothing to explain in files with errors");
    return;
  }
  const vrrp = routers.flatMap(({ path, loaded }) => {
    const model = loaded.configuration.vrrp;
    return model === undefined || model.instances.length === 0 ? [] : [{ path, configuration: model }];
  });
  if (vrrp.length === 0) {
    refuse("no vrrp_instance in these files");
    return;
  }
  const names = hostNames(vrrp.map(({ path }) => path));
  const hosts = vrrp.map(({ configuration }, index): RehearsedHost => ({ name: names[index] ?? "", configuration }));
  const faults = (options.fail ?? []).map((text) => readFault(text, hosts));
  const wrong = faults.find((one) => typeof one === "string");
  if (wrong !== undefined) {
    refuse(wrong);
    return;
  }
  const wanted = faults.filter((one) => typeof one !== "string");
  const answer = rehearse(hosts, wanted.length === 0 ? undefined : wanted);
  if (options.json) {
    process.stdout.write(`${JSON.stringify(explainJson(answer, names), null, 2)}\n`);
    return;
  }
  const width = process.stdout.isTTY === true ? process.stdout.columns : undefined;
  const lines = explainText(answer, { paper: { colour, width }, steps: wanted.length > 0 });
  process.stdout.write(`${lines.join("\n")}\n`);
}

function refuse(message: string): void {
  process.stderr.write(`evenkeel: ${message}\n`);
  process.exitCode = 2;
}

/** `a` of `a.conf`; `a` of `a/keepalived.conf` where the files are all called alike; otherwise letters. */
export function hostNames(paths: readonly string[]): string[] {
  const isFit = (names: readonly string[]) =>
    new Set(names).size === names.length && names.every((name) => /^[^\s:]+$/.test(name));
  const byFile = paths.map((path) => basename(path).replace(/\.[^.]*$/, ""));
  if (isFit(byFile)) return byFile;
  const byFolder = paths.map((path) => basename(dirname(resolve(path))));
  return isFit(byFolder) ? byFolder : paths.map((_, index) => `host${index + 1}`);
}
