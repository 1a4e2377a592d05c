/**
 * The options of ipvsadm 1.31 (ipvsadm(8)), and four of ours at the end: how each is spelt, what it is called in messages,
 * and which command may have it. Reading them is `words.ts`'s, what they mean `parse.ts`'s.
 */

/** As messages call them, in the order in which ipvsadm checks them. */
export const OPTION_NAMES = [
  "numeric",
  "connection",
  "service-address",
  "scheduler",
  "persistent",
  "netmask",
  "real-server",
  "forwarding-method",
  "weight",
  "u-threshold",
  "l-threshold",
  "mcast-interface",
  "timeout",
  "daemon",
  "stats",
  "rate",
  "thresholds",
  "persistent-conn",
  "nosort",
  "syncid",
  "exact",
  "ops",
  "pe",
  "sched-flags",
  "sync-maxlen",
  "mcast-group",
  "mcast-port",
  "mcast-ttl",
  "tun-info",
  "tun-type",
  "tun-port",
  "tun-nocsum",
  "tun-csum",
  "tun-remcsum",
  "on-server-down",
  "drain",
  "json",
  "owner",
] as const;
export type OptionName = (typeof OPTION_NAMES)[number];

/** As messages call them. */
export type CommandName =
  | "add-service"
  | "edit-service"
  | "delete-service"
  | "flush"
  | "list"
  | "zero"
  | "save"
  | "restore"
  | "add-server"
  | "edit-server"
  | "delete-server"
  | "set"
  | "start-daemon"
  | "stop-daemon";

/** What a word on the command line stands for. */
export type Meaning =
  | { readonly is: "command"; readonly command: CommandName | "help" | "version" }
  | { readonly is: "option"; readonly option: OptionName }
  | { readonly is: "service"; readonly protocol: "tcp" | "udp" | "sctp" | "mark" }
  | { readonly is: "method"; readonly method: "nat" | "dr" | "tun" }
  | { readonly is: "ipv6" }
  /** Says what is so anyway. */
  | { readonly is: "sort" };

export interface OptionWord {
  readonly long: string;
  /** One letter. */
  readonly short: string | undefined;
  readonly argument: "none" | "required" | "optional";
  readonly meaning: Meaning;
}

type Argument = OptionWord["argument"];

function word(spelling: string, argument: Argument, meaning: Meaning): OptionWord {
  const [long = "", short] = spelling.split(" ");
  return { long, short, argument, meaning };
}
const command = (spelling: string, name: CommandName | "help" | "version", argument: Argument = "none") =>
  word(spelling, argument, { is: "command", command: name });
const service = (spelling: string, protocol: "tcp" | "udp" | "sctp" | "mark") =>
  word(spelling, "required", { is: "service", protocol });
const method = (spelling: string, name: "nat" | "dr" | "tun") => word(spelling, "none", { is: "method", method: name });
const flag = (name: OptionName, short = "") => word(`${name} ${short}`.trim(), "none", { is: "option", option: name });
const valued = (name: OptionName, short = "", argument: Argument = "required") =>
  word(`${name} ${short}`.trim(), argument, { is: "option", option: name });

export const OPTION_WORDS: readonly OptionWord[] = [
  command("add-service A", "add-service"),
  command("edit-service E", "edit-service"),
  command("delete-service D", "delete-service"),
  command("clear C", "flush"),
  command("list L", "list"),
  command("list l", "list"),
  command("zero Z", "zero"),
  command("save S", "save"),
  command("restore R", "restore"),
  command("add-server a", "add-server"),
  command("edit-server e", "edit-server"),
  command("delete-server d", "delete-server"),
  command("set", "set"),
  command("start-daemon", "start-daemon", "required"),
  command("stop-daemon", "stop-daemon", "required"),
  command("help h", "help"),
  command("version v", "version"),
  service("tcp-service t", "tcp"),
  service("udp-service u", "udp"),
  service("sctp-service", "sctp"),
  service("fwmark-service f", "mark"),
  word("ipv6 6", "none", { is: "ipv6" }),
  method("masquerading m", "nat"),
  method("gatewaying g", "dr"),
  method("ipip i", "tun"),
  word("sort", "none", { is: "sort" }),
  valued("scheduler", "s"),
  valued("persistent", "p", "optional"),
  valued("netmask", "M"),
  valued("real-server", "r"),
  valued("weight", "w"),
  valued("u-threshold", "x"),
  valued("l-threshold", "y"),
  flag("numeric", "n"),
  flag("connection", "c"),
  valued("mcast-interface"),
  flag("timeout"),
  flag("daemon"),
  flag("stats"),
  flag("rate"),
  flag("thresholds"),
  flag("persistent-conn"),
  flag("nosort"),
  valued("syncid"),
  flag("exact", "X"),
  flag("ops", "o"),
  valued("pe"),
  valued("sched-flags", "b"),
  valued("sync-maxlen"),
  valued("mcast-group"),
  valued("mcast-port"),
  valued("mcast-ttl"),
  flag("tun-info"),
  valued("tun-type"),
  valued("tun-port"),
  flag("tun-nocsum"),
  flag("tun-csum"),
  flag("tun-remcsum"),
  valued("on-server-down"),
  flag("drain"),
  flag("json"),
  flag("owner"),
];

interface Rule {
  readonly needs: readonly OptionName[];
  readonly takes: readonly OptionName[];
  /** At most one of these. */
  readonly either?: readonly OptionName[];
}

const SERVICE: readonly OptionName[] = [
  "scheduler",
  "persistent",
  "netmask",
  "ops",
  "pe",
  "sched-flags",
  "on-server-down",
];
const TUNNEL: readonly OptionName[] = ["tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"];
const SERVER: readonly OptionName[] = ["forwarding-method", "weight", "u-threshold", "l-threshold", ...TUNNEL, "drain"];
const VIEWS: readonly OptionName[] = ["stats", "rate", "thresholds", "persistent-conn", "tun-info"];
const NOTHING: Rule = { needs: [], takes: [] };

export const COMMAND_RULES: Readonly<Record<CommandName, Rule>> = {
  "add-service": { needs: ["service-address"], takes: SERVICE },
  "edit-service": { needs: ["service-address"], takes: SERVICE },
  "delete-service": { needs: ["service-address"], takes: [] },
  flush: NOTHING,
  list: {
    needs: [],
    takes: ["numeric", "nosort", "syncid", "exact", ...VIEWS, "json", "owner"],
    either: ["connection", "service-address", "timeout", "daemon"],
  },
  zero: { needs: [], takes: ["service-address"] },
  save: { needs: [], takes: ["numeric", "nosort"] },
  restore: NOTHING,
  "add-server": { needs: ["service-address", "real-server"], takes: SERVER },
  "edit-server": { needs: ["service-address", "real-server"], takes: SERVER },
  "delete-server": { needs: ["service-address", "real-server"], takes: [] },
  set: NOTHING,
  "start-daemon": {
    needs: [],
    takes: ["mcast-interface", "syncid", "sync-maxlen", "mcast-group", "mcast-port", "mcast-ttl"],
  },
  "stop-daemon": { needs: [], takes: ["syncid"] },
};

/** Of -i, by `--tun-type`. */
export const TUNNEL_RULES: Readonly<Record<"ipip" | "gue" | "gre", Rule>> = {
  ipip: { needs: [], takes: ["tun-type"] },
  gue: { needs: ["tun-port"], takes: ["tun-type"], either: ["tun-nocsum", "tun-csum", "tun-remcsum"] },
  gre: { needs: [], takes: ["tun-type"], either: ["tun-nocsum", "tun-csum"] },
};
export const TUNNEL_OPTIONS: ReadonlySet<OptionName> = new Set(TUNNEL);

/** The first rule that is broken, as ipvsadm words it; `what`: `'list' command`, `'gue' tunnel type`. */
export function brokenRule(
  rule: Rule,
  given: ReadonlySet<OptionName>,
  what: string,
  verb: "in" | "with",
): string | undefined {
  let chosen: OptionName | undefined;
  for (const name of OPTION_NAMES) {
    if (!given.has(name)) {
      if (rule.needs.includes(name)) return `You need to supply the '${name}' option for the ${what}`;
    } else if (rule.either?.includes(name)) {
      if (chosen !== undefined) return `The option '${name}' conflicts with the '${chosen}' option in the ${what}`;
      chosen = name;
    } else if (!rule.needs.includes(name) && !rule.takes.includes(name)) {
      return `Illegal '${name}' option ${verb} the ${what}`;
    }
  }
  return undefined;
}
