/** The command line: one file a command, loaded only when it is the one that was asked for. */

import { Command } from "commander";
import { VERSION } from "../daemon/version.ts";
import { labCommand } from "./lab.ts";

const program = new Command("evenkeel")
  .description("Keeps a service reachable and its load even, from keepalived.conf and haproxy.cfg as they are.")
  .version(VERSION)
  .enablePositionalOptions()
  .showHelpAfterError("(evenkeel --help lists the commands)");

const collect = (value: string, before: string[] = []): string[] => [...before, value];

program
  .command("run")
  .description("run in the foreground: supervisor, vrrp, director and proxies")
  .requiredOption(
    "-f, --file <file>",
    "keepalived.conf or haproxy.cfg, told apart by content; may be repeated",
    collect,
  )
  .option(
    "-i, --config-id <id>",
    "keepalived's configuration id for @id lines (default: host name up to the first dot)",
  )
  .option("--socket <path>", "control socket (default: $EVENKEEL_SOCKET or /run/evenkeel/control.sock)")
  .option("--pid-file <path>", "write the supervisor's process id here")
  .action(async (options) => (await import("./run.ts")).run(options));

program
  .command("check")
  .description("say everything there is to say about configuration files; exit 0 clean, 1 warnings, 2 errors")
  .argument("<file...>", "keepalived.conf or haproxy.cfg")
  .option("--json", "one JSON document instead of text")
  .option("-q, --quiet", "only the exit status")
  .option("-i, --config-id <id>", "keepalived's configuration id for @id lines")
  .action(async (files, options) => (await import("./check.ts")).check(files, options));

program
  .command("status")
  .description("what runs here: instances, addresses, proxies, servers, checks, processes")
  .option("--json", "one JSON document instead of text")
  .option("--socket <path>", "control socket")
  .action(async (options) => (await import("./status.ts")).status(options));

program
  .command("events")
  .description("state changes with their causes, one JSON object a line, until interrupted")
  .option("--no-follow", "print what is remembered and stop")
  .option("--socket <path>", "control socket")
  .action(async (options) => (await import("./events.ts")).events(options));

program
  .command("reload")
  .description("read the configuration files again, as SIGHUP does, and say what came of it")
  .option("--json", "one JSON document instead of text")
  .option("--socket <path>", "control socket")
  .action(async (options) => (await import("./reload.ts")).reload(options));

program
  .command("demo")
  .description("two balancers, three web servers, two clients: bring it up, break it, measure")
  .option("--json", "one JSON object a step instead of text")
  .action(async (options) => (await import("./demo.ts")).demo(options));

program.addCommand(labCommand());

/** Wrong usage is 2, as 1 has a meaning of its own for `check`. */
function leaveWith2(command: Command): void {
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  for (const one of command.commands) leaveWith2(one);
}
leaveWith2(program);

await program.parseAsync();
