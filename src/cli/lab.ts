/** `evenkeel lab`: bring a lab up, look at it, break it, take it down. Loads src/lab only when a command runs. */

import { Command } from "commander";
import type { Lab } from "../lab/lab.ts";

interface LabChoice {
  readonly lab?: string;
}

export function labCommand(): Command {
  const lab = new Command("lab")
    .description("try a set-up on this machine: nodes are network namespaces, links are bridges")
    .enablePositionalOptions();
  const choose = (command: Command) => command.option("--lab <name>", "which lab (default: the only one running)");

  lab
    .command("up")
    .description("bring up what a *.lab.yml or a docker-compose.yml describes")
    .argument("<file>", "the lab's file")
    .option("--name <name>", "instead of the name in the file")
    .option("--json", "one JSON document instead of text")
    .option("--no-programs", "only nodes and links: start nothing in them")
    .action((file, options) => failing(() => up(file, options)));
  lab
    .command("down")
    .description("end everything in a lab and remove it; also what a crash left of one")
    .argument("[file-or-name]", "its file or name (default: the only lab there is)")
    .action((what) => failing(() => down(what)));
  choose(lab.command("exec"))
    .description("run a command in a node, with this terminal")
    .argument("<node>")
    .argument("<command...>", "after --")
    .passThroughOptions()
    .action((node, words: string[], options: LabChoice) =>
      failing(async () => {
        const command = words[0] === "--" ? words.slice(1) : words;
        process.exitCode = await (await attach(options)).node(node).execHere(command);
      }),
    );
  choose(lab.command("ps"))
    .description("nodes with their links, addresses and processes")
    .option("--json", "one JSON document instead of text")
    .action((options) => failing(() => list(options)));
  choose(lab.command("link"))
    .description("pull the cable of an interface (down) or put it back (up)")
    .argument("<node>")
    .argument("<interface>")
    .argument("<state>", "down or up")
    .action((node, name, state, options: LabChoice) =>
      failing(async () => {
        if (state !== "up" && state !== "down") throw new Error(`"${state}" is neither up nor down`);
        await (await attach(options)).node(node).link(name, state);
      }),
    );
  for (const [verb, signal, what] of [
    ["kill", "SIGKILL", "send a signal to a program of a node; KILL reaches all processes that came of it"],
    ["pause", "SIGSTOP", "freeze a program of a node with all processes that came of it"],
    ["resume", "SIGCONT", "let a frozen program go on"],
  ] as const) {
    const command = choose(lab.command(verb)).description(what).argument("<node>").argument("<process>");
    if (verb === "kill") command.option("-s, --signal <name>", "KILL, TERM, HUP …", "KILL");
    command.action((node, name, options: LabChoice & { readonly signal?: string }) =>
      failing(async () => {
        const sent = options.signal === undefined ? signal : await signalNamed(options.signal);
        const count = await (await attach(options)).node(node).signal(name, sent);
        process.stdout.write(`${sent} to ${count} ${count === 1 ? "process" : "processes"} of ${name} on ${node}\n`);
      }),
    );
  }
  return lab;
}

async function attach({ lab }: LabChoice): Promise<Lab> {
  return (await import("../lab/lab.ts")).Lab.attach(lab);
}

interface UpCommandOptions {
  readonly name?: string;
  readonly json?: boolean;
  readonly programs: boolean;
}

async function up(file: string, { name, json = false, programs }: UpCommandOptions): Promise<void> {
  const { Lab, LabError } = await import("../lab/lab.ts");
  const { loadTopology } = await import("../lab/file.ts");
  const { renderDiagnostic, diagnosticToJson } = await import("../config/text/render.ts");
  const { topology, diagnostics } = loadTopology(file);
  const colour = process.stderr.isTTY && process.env.NO_COLOR === undefined;
  for (const one of diagnostics) process.stderr.write(renderDiagnostic(one, { colour }));
  if (topology === undefined) throw new LabError(`${file} has mistakes: nothing was made`);
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => abort.abort());
  const lab = await Lab.up(topology, {
    ...(name === undefined ? {} : { name }),
    tied: false,
    programs,
    abort: abort.signal,
    progress: (line) => json || process.stdout.write(`${line}\n`),
  });
  if (json) {
    const found = diagnostics.map(diagnosticToJson);
    const nodes = lab.nodes().map((node) => node.name);
    print({ name: lab.name, nodesUpMs: lab.nodesUpMs, nodes, stateFolder: lab.stateFolder, diagnostics: found });
  } else {
    process.stdout.write(`lab "${lab.name}" is up; logs are in ${lab.stateFolder}/logs\n`);
  }
}

async function down(what: string | undefined): Promise<void> {
  const { Lab, LabError } = await import("../lab/lab.ts");
  const known = Lab.known();
  if (what === undefined && known.length > 1) {
    throw new LabError(`there are several labs (${known.map((one) => one.name).join(", ")}): name one`);
  }
  const name = what === undefined ? known[0]?.name : await nameOf(what);
  const removed = name !== undefined && (await Lab.remove(name));
  process.stdout.write(removed ? `lab "${name}" is down\n` : "there is no such lab: nothing to do\n");
}

/** A file stands for the lab that it describes. */
async function nameOf(what: string): Promise<string> {
  if (!/[/.]/.test(what)) return what;
  return (await import("../lab/file.ts")).readTopology(what).name;
}

async function list(options: LabChoice & { readonly json?: boolean }): Promise<void> {
  const lab = await attach(options);
  const nodes = await Promise.all(
    lab.nodes().map(async (node) => ({
      name: node.name,
      kind: node.spec.kind,
      links: await node.links(),
      processes: node.processes(),
    })),
  );
  if (options.json === true) {
    print({ name: lab.name, rootless: lab.rootless, nodes });
    return;
  }
  const { table } = await import("./table.ts");
  const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  const links = nodes.flatMap((node) =>
    node.links.map((link, index) => [
      index === 0 ? node.name : "",
      link.interface,
      link.segment,
      link.carrier ? { text: "up", colour: "32" } : { text: link.up ? "no carrier" : "down", colour: "31" },
      link.addresses.join(" "),
    ]),
  );
  const processes = nodes.flatMap((node) =>
    node.processes.map((one) => [
      node.name,
      one.program ?? "-",
      String(one.pidInNode),
      String(one.hostPid),
      one.state === "T" ? { text: "paused", colour: "33" } : one.state,
      one.command.slice(0, 100),
    ]),
  );
  const paper = { colour, width: process.stdout.isTTY === true ? process.stdout.columns : undefined };
  const lines = [
    ...table(["NODE", "INTERFACE", "SEGMENT", "LINK", "ADDRESSES"], links, paper),
    "",
    ...table(["NODE", "PROGRAM", "PID", "HOST PID", "STATE", "COMMAND"], processes, paper),
  ];
  process.stdout.write(`lab "${lab.name}"\n\n${lines.join("\n")}\n`);
}

async function signalNamed(name: string): Promise<NodeJS.Signals> {
  const { constants } = await import("node:os");
  const wanted = `SIG${name.toUpperCase().replace(/^SIG/, "")}`;
  const known = Object.keys(constants.signals).find((one) => one === wanted);
  if (known === undefined) throw new Error(`"${name}" is no signal`);
  return known as NodeJS.Signals;
}

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);

/** Mistakes of the user and refusals of the system are told; anything else is a bug and shows itself whole. */
async function failing(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { code, details } = error as { readonly code?: unknown; readonly details?: unknown };
    if (error.name !== "LabError" && typeof code !== "string" && error.constructor !== Error) throw error;
    process.stderr.write(`evenkeel lab: ${error.message}\n`);
    if (typeof details === "string" && details !== "") process.stderr.write(`${details.trimEnd()}\n`);
    process.exitCode = 1;
  }
}
