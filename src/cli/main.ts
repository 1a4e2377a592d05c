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
  .option(
    "--flush",
    "first remove the virtual services that are there, instead of taking over what an earlier process left",
  )
  .option(
    "--record <file>",
    "write what VRRP hears and does here, for evenkeel replay (at most twice 64 MB; mode 0600)",
  )
  .action(async (options) => (await import("./run.ts")).run(options));

program
  .command("check")
  .description("say everything there is to say about configuration files; exit 0 clean, 1 warnings, 2 errors")
  .argument("<file...>", "keepalived.conf or haproxy.cfg")
  .option("--json", "one JSON document instead of text")
  .option("-q, --quiet", "only the exit status")
  .option("-i, --config-id <id>", "keepalived's configuration id for @id lines")
  .option("-p, --peers", "each keepalived.conf is another router's of one LAN: compare them too")
  .action(async (files, options) => (await import("./check.ts")).check(files, options));

program
  .command("explain")
  .description(
    "from the files of all routers of a LAN: who holds which VIP, and who would after which failure, and why",
  )
  .argument("<file...>", "one keepalived.conf a router; a haproxy.cfg is everybody's")
  .option("--fail <what>", "'a: script NAME', 'a: interface NAME', 'a: stops', 'a: dies'; repeated, together", collect)
  .option("--json", "one JSON document instead of text")
  .option("-i, --config-id <id>", "keepalived's configuration id for @id lines")
  .action(async (files, options) => (await import("./explain.ts")).explain(files, options));

program
  .command("status")
  .description("what runs here: instances, addresses, proxies, servers, checks, processes")
  .option("--json", "one JSON document instead of text")
  .option("--socket <path>", "control socket")
  .action(async (options) => (await import("./status.ts")).status(options));

program
  .command("replay")
  .description("run a recording of evenkeel run --record again: changes of state with their causes, adverts summed up")
  .argument("<file>")
  .option("--json", "one JSON object a step")
  .option("--until <time>", "stop there: a time of day, or seconds after the beginning")
  .option("--instance <name>", "only this vrrp_instance")
  .action(async (file, options) => (await import("./replay.ts")).replayFile(file, options));

program
  .command("metrics")
  .description("figures in Prometheus' text format, keepalived's under the names of the usual exporter")
  .option("--socket <path>", "control socket")
  .action(async (options) => (await import("./metrics.ts")).metrics(options));

program
  .command("events")
  .description("state changes with their causes, one JSON object a line, until interrupted")
  .option("--no-follow", "print what is remembered and stop")
  .option("--socket <path>", "control socket")
  .action(async (options) => (await import("./events.ts")).events(options));

program
  .command("reload")
  .description("read the configuration files again, as SIGHUP does, and say what came of it")
  .option("--dry-run", "only say what it would change and what would come of that")
  .option("--json", "one JSON document instead of text")
  .option("--socket <path>", "control socket")
  .action(async (options) => (await import("./reload.ts")).reload(options));

program
  .command("real")
  .description(
    "make this host a real server: the VIP on lo, silent towards neighbours, tunnels opened; show it, or undo it",
  )
  .option("--vip <address>", "IPv4 or IPv6 address of the service; may be repeated, adds to what is there", collect)
  .option("--mode <mode>", "how the balancer sends: dr, or tun (IP in IP) (default: dr)")
  .option("-I, --interface <name>", "only here; may be repeated (default: every Ethernet interface)", collect)
  .option("--mss <bytes>", "offer clients at most this much (default: with tun what fits into the tunnel)")
  .option("--no-mss", "offer clients what the service itself offers")
  .option("--undo", "take these VIPs back, or all: everything that was made here, and nothing else")
  .option("--json", "one JSON document instead of text")
  .action(async (options) => (await import("./real.ts")).real(options));

program
  .command("doctor")
  .description("look at this machine as a balancer or a real server and say which piece is missing, and the cure")
  .argument("[side]", "balancer or real (default: what this host is seen to be)")
  .option("--vip <address>", "only this one; may be repeated", collect)
  .option("--mode <mode>", "how packets come to this real server: dr, tun or redirect (default: as found)")
  .option("--port <port>", "the service's port, on a real server")
  .option("--json", "one JSON document instead of text")
  .action(async (side, options) => (await import("./doctor.ts")).doctor(side, options));

const drained = (name: string, what: string) =>
  program
    .command(name)
    .description(what)
    .argument("<virtual-server>", "as evenkeel status names it, or ADDRESS:PORT")
    .argument("<real-server>", "the same")
    .option("--socket <path>", "control socket");

drained("drain", "no new client for a real server; its connections go on")
  .option("--deadline <seconds>", "reset what is left after so long")
  .option("--wait", "until no connection is left or the deadline has passed")
  .action(async (virtual, real, options) => (await import("./drain.ts")).drain(virtual, real, options));

drained("undrain", "give a drained real server clients again").action(async (virtual, real, options) =>
  (await import("./drain.ts")).undrain(virtual, real, options),
);

program
  .command("plan")
  .description("how many VIPs it takes so that hosts may fail and no link is full, and their priorities on each host")
  .option("--hosts <number>", "hosts with equal links")
  .option("--link <speed>", "of every host: 1Gbit, 10G, 100Mbps")
  .option("--links <speeds>", "one a host, separated by commas, when they differ")
  .option("--traffic <speed>", "of all VIPs together")
  .option("--vip-loads <speeds>", "one a VIP, separated by commas, instead of equal parts of the traffic")
  .option("--failures <number>", "hosts that may be gone at the same time", "1")
  .option("--headroom <share>", "of every link that stays free", "0%")
  .option("--vips <number>", "so many VIPs, instead of the least number that fits")
  .option("--spread <how>", "while all hosts are up: even, or any, where hosts may stand by", "even")
  .option("--json", "one JSON document instead of text")
  .option("--svg <file>", "write a chart")
  .option("--emit <folder>", "write a keepalived.conf for each host")
  .option("--vip-addresses <list>", "for --emit: 10.0.0.10-15/24, or a list")
  .option("--interface <name>", "for --emit", "eth0")
  .option("--advert-interval <seconds>", "for --emit; whole seconds are version 2, others version 3", "1")
  .option("--first-vrid <number>", "for --emit: virtual router number of the first VIP", "1")
  .option("--host-names <list>", "separated by commas (default: host1, host2 …)")
  .action(async (options) => (await import("./plan.ts")).plan(options));

program
  .command("demo")
  .description("two balancers, three web servers, two clients: bring it up, break it, measure")
  .option("--json", "one JSON object a step instead of text")
  .action(async (options) => (await import("./demo.ts")).demo(options));

program
  .command("ipvsadm")
  .description("virtual services and their servers in the kernel, in the words of ipvsadm 1.31 (evenkeel ipvsadm -h)")
  .argument("[word...]")
  .helpOption(false)
  .allowUnknownOption()
  .passThroughOptions()
  .action(async (words) => (await import("./ipvsadm-main.ts")).main("ipvsadm", words));

program
  .command("keepalived")
  .description("run as keepalived does, with the command line of keepalived 2.2.7 (evenkeel keepalived -h)")
  .argument("[word...]")
  .helpOption(false)
  .allowUnknownOption()
  .passThroughOptions()
  .action(async (words) => (await import("./keepalived-main.ts")).main("keepalived", words));

program.addCommand(labCommand());

/** Wrong usage is 2, as 1 has a meaning of its own for `check`. */
function leaveWith2(command: Command): void {
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  for (const one of command.commands) leaveWith2(one);
}
leaveWith2(program);

await program.parseAsync();
