/**
 * The command line of ipvsadm 1.31 (ipvsadm(8)) → what it asks for, or ipvsadm's own words about what is wrong with it.
 *
 * Mistakes are found in ipvsadm's order: each option as it is read, then words that belong to nothing, then what is missing
 * or does not go together. Whether the service exists is not known here.
 */

import type { Command, ListingView, ListOptions, NamedService, ServiceWords } from "./command.ts";
import { Draft } from "./draft.ts";
import {
  brokenRule,
  COMMAND_RULES,
  type CommandName,
  type OptionName,
  TUNNEL_OPTIONS,
  TUNNEL_RULES,
} from "./options.ts";
import { LONGEST_TIMEOUT, type Names, NameWanted, numberIn } from "./values.ts";
import { WordReader } from "./words.ts";

/** `text` goes to standard error as it is. */
export interface Wrong {
  readonly kind: "wrong";
  readonly text: string;
  readonly exit: 2 | 255;
  /** `ipvsadm -R` goes on with the next line; after all others it stops. */
  readonly goesOn: boolean;
}

export type Parsed =
  | { readonly kind: "command"; readonly command: Command }
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  /** Look it up, then parse again. */
  | { readonly kind: "name"; readonly name: string }
  | Wrong;

const wrong = (text: string): Wrong => ({ kind: "wrong", text: `${text}\n`, exit: 2, goesOn: false });
/** No command, or none that can be here. */
export const ASK_FOR_HELP: Wrong = {
  kind: "wrong",
  text: "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n",
  exit: 255,
  goesOn: false,
};

/** `elements` without the program's name; at least one. */
export function parseCommandLine(elements: readonly string[], names: Names): Parsed {
  const reader = new WordReader(elements);
  const first = reader.next();
  if (first.kind !== "option" || first.word.meaning.is !== "command") return ASK_FOR_HELP;
  const name = first.word.meaning.command;
  if (name === "help" || name === "version") return { kind: name };
  if (name === "start-daemon" && !isRole(first.argument)) return wrong("illegal start-daemon parameter specified");
  if (name === "stop-daemon" && !isRole(first.argument)) return wrong("illegal start_daemon specified");

  const draft = new Draft(names);
  for (;;) {
    const found = reader.next();
    if (found.kind === "end") break;
    if (found.kind === "wrong") {
      return { kind: "wrong", text: `${found.spelling}: ${found.why}\n`, exit: 255, goesOn: true };
    }
    if (found.word.meaning.is === "command") return wrong(`invalid option \`${found.spelling}'`);
    const mistake = draft.take(found.word.meaning, found.argument);
    if (mistake instanceof NameWanted) return { kind: "name", name: mistake.name };
    if (mistake !== undefined) return wrong(mistake);
  }

  const others = reader.others;
  if (name === "set" && others.length < 3) return wrong("--set option requires 3 timeout values");
  const timeouts: number[] = [];
  for (const text of name === "set" ? others.splice(0, 3) : []) {
    const seconds = numberIn(text, 0, LONGEST_TIMEOUT);
    if (seconds === undefined) return wrong(`invalid timeout value \`${text}' specified`);
    timeouts.push(seconds);
  }
  if (others[0] !== undefined) return wrong(`unexpected argument ${others[0]}`);

  const flags = draft.schedulerFlags();
  if (typeof flags === "string") return wrong(flags);
  const broken = brokenRule(COMMAND_RULES[name], draft.given, `'${name}' command`, "with") ?? mistakeOf(name, draft);
  if (broken !== undefined) return wrong(broken);
  const [tcp = 0, tcpFin = 0, udp = 0] = timeouts;
  const role = first.argument === "backup" ? "backup" : "master";
  return {
    kind: "command",
    command: commandOf(name, draft, role, flags, { tcp, tcpFin, udp }),
  };
}

const isRole = (text: string | undefined): boolean => text === "master" || text === "backup";

/** What no single option shows. */
function mistakeOf(name: CommandName, draft: Draft): string | undefined {
  switch (name) {
    case "add-service":
    case "edit-service":
      return serviceMistake(draft);
    case "add-server":
    case "edit-server":
      return serverMistake(draft);
    case "list":
      return listMistake(draft);
    default:
      return undefined;
  }
}

/** Columns are a matter of services, but for those of persistence engines. */
function listMistake(draft: Draft): string | undefined {
  const hasOne = (...names: OptionName[]) => names.some((name) => draft.has(name));
  const conflict =
    (hasOne("connection", "timeout", "daemon") && hasOne("stats", "rate", "thresholds")) ||
    (hasOne("timeout", "daemon") && draft.has("persistent-conn"));
  return conflict ? "options conflicts in the list command" : undefined;
}

function serviceMistake(draft: Draft): string | undefined {
  const service = draft.service;
  if (service.kind !== "mark" && service.port === 0 && !draft.persistent) {
    return "Zero port specified for non-persistent service";
  }
  if (draft.has("ops") && service.kind !== "mark" && !(service.kind === "address" && service.protocol === "udp")) {
    return "One-Packet Scheduling is only for UDP virtual services";
  }
  return draft.netmaskBits === undefined ? "illegal virtual server persistent mask specified" : undefined;
}

function serverMistake(draft: Draft): string | undefined {
  const tunnel = new Set([...draft.given].filter((one) => TUNNEL_OPTIONS.has(one)));
  if (draft.method !== "tun") {
    if (draft.families.service !== draft.families.server) {
      return "Different address family is allowed only for tunneling servers";
    }
    return tunnel.size > 0 ? "Tunnel options conflict with forward method" : undefined;
  }
  const type = draft.tunnelType;
  return brokenRule(TUNNEL_RULES[type], tunnel, `'${type}' tunnel type`, "with");
}

function commandOf(
  name: CommandName,
  draft: Draft,
  role: "master" | "backup",
  flags: ServiceWords["flags"],
  timeouts: { tcp: number; tcpFin: number; udp: number },
): Command {
  switch (name) {
    case "add-service":
    case "edit-service":
      return { do: name, service: draft.service, words: serviceWords(draft, flags) };
    case "add-server":
    case "edit-server":
      return { do: name, service: draft.service, server: draft.serverKey(), settings: draft.serverSettings() };
    case "delete-service":
      return { do: name, service: draft.service };
    case "delete-server":
      return { do: name, service: draft.service, server: draft.server };
    case "zero":
      return { do: name, service: namedService(draft) };
    case "flush":
    case "restore":
      return { do: name };
    case "set":
      return { do: name, timeouts };
    case "start-daemon":
    case "stop-daemon":
      return { do: name, role };
    case "save":
      return { do: name, numeric: draft.has("numeric"), sort: !draft.has("nosort") };
    case "list":
      return listOf(draft);
    default:
      return name satisfies never;
  }
}

const namedService = (draft: Draft): NamedService | undefined =>
  draft.has("service-address") ? draft.service : undefined;

function listOf(draft: Draft): Command {
  if (draft.has("daemon")) return { do: "list-daemon" };
  const options: ListOptions = {
    view: viewOf(draft),
    numeric: draft.has("numeric"),
    exact: draft.has("exact"),
    sort: !draft.has("nosort"),
    json: draft.has("json"),
    owner: draft.has("owner"),
  };
  if (draft.has("connection")) return { do: "list-connections", options };
  if (draft.has("timeout")) return { do: "list-timeouts", options };
  return { do: "list-services", service: namedService(draft), options };
}

/** In the order in which one wins over the others. */
const VIEWS = ["stats", "rate", "thresholds", "persistent-conn", "tun-info"] as const;
const viewOf = (draft: Draft): ListingView => VIEWS.find((view) => draft.has(view)) ?? "plain";

function serviceWords(draft: Draft, flags: ServiceWords["flags"]): ServiceWords {
  return {
    scheduler: draft.scheduler,
    persistence: draft.persistence,
    netmaskBits: draft.netmaskBits ?? 0,
    onePacket: draft.has("ops"),
    flags,
    engine: draft.engine,
    onServerDown: draft.onServerDown,
  };
}
