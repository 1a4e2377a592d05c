/**
 * What `npm run check` looks at, tool by tool. Fails when a tool finds something, and when it looked at fewer files than
 * there are: several of these tools are content with nothing.
 *
 *   scripts/check [STEP…]    in the folder that holds src/, test/ and the tools' configuration
 */

import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What a tool found: files looked at, and its complaints as text, empty when it has none. */
interface Finding {
  readonly seen: number;
  readonly complaints: string;
}

interface Step {
  readonly says: string;
  readonly look: () => Finding;
  /** What it must have looked at, and may have exceeded. */
  readonly sources: readonly string[];
}

const inProject = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

function runTool(tool: string, ...args: string[]): { failed: boolean; stdout: string; all: string } {
  const options = { encoding: "utf8", maxBuffer: 256 << 20, timeout: 300_000 } as const;
  const { error, status, stdout, stderr } = spawnSync(inProject(`node_modules/.bin/${tool}`), args, options);
  if (error !== undefined) throw error;
  return { failed: status !== 0, stdout, all: `${stdout}${stderr}` };
}

/** What a tool printed as JSON, or nothing: a tool that has crashed prints its reason in other words. */
function parsed<T>(text: string): Partial<T> {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** Biome also takes JSON and more; its count is of the sources alone. */
function format(): Finding {
  const summary = runTool("biome", "check", "--reporter=json", ...sources).stdout;
  const { changed = 0, unchanged = 0 } = parsed<{ summary: Record<string, number> }>(summary).summary ?? {};
  const { failed, all } = runTool("biome", "check", "--error-on-warnings", "--max-diagnostics=50", ".");
  return { seen: changed + unchanged, complaints: failed ? all : "" };
}

function types(): Finding {
  const listed = runTool("tsc", "-p", ".", "--listFilesOnly").stdout.split("\n");
  const { failed, all } = runTool("tsc", "-p", ".");
  return {
    seen: listed.filter((file) => file && !file.includes("/node_modules/")).length,
    complaints: failed ? all : "",
  };
}

interface Cruise {
  modules: { source: string }[];
  summary: { violations: { from: string; to: string; rule: { name: string } }[] };
}

/** Of src/ alone: tests may import everything. (dependency-cruiser 17 cannot read `using`, which tests like.) */
function imports(): Finding {
  const { failed, stdout, all } = runTool("depcruise", "--config", "--output-type", "json", "src");
  const { modules = [], summary } = parsed<Cruise>(stdout);
  const complaints = summary?.violations.map(({ from, to, rule }) => `${rule.name}: ${from} imports ${to}`);
  const seen = modules.filter(({ source }) => /^src\/.*\.ts$/.test(source)).length;
  return { seen, complaints: complaints?.join("\n") ?? (failed ? all : "") };
}

function deadCode(): Finding {
  const { failed, stdout, all } = runTool("knip", "--reporter", inProject("scripts/knip-reporter.ts"));
  const { seen = 0, problems } = parsed<{ seen: number; problems: string[] }>(stdout);
  return { seen, complaints: problems?.join("\n") ?? (failed ? all : "") };
}

const sources = globSync("{src,test,scripts,bench}/**/*.ts", { exclude: ["test/fixtures/**"] });
const program = sources.filter((file) => file.startsWith("src/"));
const steps: Record<string, Step> = {
  format: {
    says: "formatted, no lint, no import cycle, pure folders name no ambient state (Biome)",
    look: format,
    sources,
  },
  types: { says: "well typed (tsc)", look: types, sources },
  imports: { says: "rooms import what they may (dependency-cruiser)", look: imports, sources: program },
  "dead-code": { says: "nothing unused (knip)", look: deadCode, sources },
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(steps);
for (const name of names) {
  const step = steps[name];
  if (step === undefined) throw new Error(`no step ${name}; there are: ${Object.keys(steps).join(", ")}`);
  const { seen, complaints } = step.look();
  const blind = step.sources.length === 0 || seen < step.sources.length;
  if (complaints) console.log(complaints);
  if (blind) console.log(`looked at ${seen} files of ${step.sources.length}: that proves nothing`);
  console.log(`${complaints || blind ? "✖" : "✔"} ${name}: ${step.says}, ${seen} files`);
  if (complaints || blind) process.exitCode = 1;
}
