/**
 * `keepalived`, called by that name or as `evenkeel keepalived`: the command line of keepalived 2.2.7 with its exit statuses.
 * What to do is decided here; running is `keepalived-run.ts`, `-t` is `keepalived-config-test.ts`.
 */

import { globSync, lstatSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { helpText, versionText } from "./keepalived-help.ts";
import { type KeepalivedOptions, parseKeepalivedOptions, SIGNAL_NUMBERS } from "./keepalived-options.ts";

const DEFAULT_FILE = "/etc/keepalived/keepalived.conf";
const WRONG_USAGE = 1;

/** Leaves the exit status in the process, unless the daemon runs. */
export async function main(name: string, words: readonly string[]): Promise<void> {
  const parsed = parseKeepalivedOptions(words);
  if (!parsed.ok) return refuse(`${parsed.error}\n${helpText(name)}`);
  const { given } = parsed.value;
  if (given.has("version")) return void process.stderr.write(versionText());
  if (given.has("help")) return void process.stderr.write(helpText(name));
  const signal = given.get("signum");
  if (signal !== undefined) {
    const number = SIGNAL_NUMBERS[signal];
    if (number === undefined) return refuse(`Unknown sigfunc ${signal}\n`);
    return void process.stdout.write(`${number}\n`);
  }
  if (given.has("genhash"))
    return refuse("genhash is not here: keepalived's genhash, or md5sum over what the server answers, does its work\n");
  const files = configurationFiles(given.get("use-file") ?? DEFAULT_FILE);
  if (given.has("config-test")) return testConfiguration(parsed.value, files);
  const { runKeepalived } = await import("./keepalived-run.ts");
  await runKeepalived(parsed.value, files, [name, ...words]);
}

function refuse(text: string): void {
  process.stderr.write(text);
  process.exitCode = WRONG_USAGE;
}

async function testConfiguration({ given }: KeepalivedOptions, files: readonly string[]): Promise<void> {
  const { configurationVerdict, hostHas, hostRuns } = await import("./keepalived-config-test.ts");
  const { loadFromDisk } = await import("../daemon/configuration-files.ts");
  const log = given.get("config-test") ?? "";
  const say = (lines: readonly string[]) => {
    const text = lines.map((line) => `${line}\n`).join("");
    if (log === "") process.stderr.write(text);
    else writeFileSync(log, text, { mode: 0o600 });
  };
  if (files.length === 0) return say([`Config files missing '${given.get("use-file") ?? DEFAULT_FILE}'.`]);
  const loaded = loadFromDisk(files, { configId: given.get("config-id") });
  const { status, lines } = configurationVerdict(loaded, hostHas(), hostRuns);
  say(lines);
  process.exitCode = status;
}

/** A file, the files of a folder in the order of their names, or a pattern; only what exists. */
export function configurationFiles(argument: string): string[] {
  const of = (path: string): string[] => {
    const status = statSync(path, { throwIfNoEntry: false });
    if (status === undefined) return [];
    if (!status.isDirectory()) return [path];
    const inside = readdirSync(path).sort();
    return inside.map((name) => join(path, name)).filter((one) => lstatSync(one).isFile());
  };
  const plain = of(argument);
  return plain.length > 0 || !/[*?[{]/.test(argument) ? plain : globSync(argument).sort().flatMap(of);
}

if (import.meta.main) {
  const [name = "keepalived", ...words] = process.argv.slice(2);
  await main(name, words);
}
