/**
 * keepalived's command line (keepalived(8), 2.2.7): which options there are and what they mean. Decides nothing and prints
 * nothing.
 *
 * Read as getopt_long reads it: letters may be joined (`-nlD`), a value may follow at once or as the next word, an optional
 * value (`-t`, `-g`) only at once; long names may be cut short as long as they are unique.
 */

interface Option {
  readonly letter: string | undefined;
  readonly long: string;
  readonly value: "none" | "required" | "optional";
}

const option = (letter: string | undefined, long: string, value: Option["value"] = "none"): Option => ({
  letter,
  long,
  value,
});

export const KEEPALIVED_OPTIONS: readonly Option[] = [
  option("f", "use-file", "required"),
  option("P", "vrrp"),
  option("C", "check"),
  option("B", "no_bfd"),
  option(undefined, "all"),
  option("l", "log-console"),
  option("D", "log-detail"),
  option("S", "log-facility", "required"),
  option("g", "log-file", "optional"),
  option(undefined, "flush-log-file"),
  option("G", "no-syslog"),
  option("u", "umask", "required"),
  option("X", "release-vips"),
  option("V", "dont-release-vrrp"),
  option("I", "dont-release-ipvs"),
  option("R", "dont-respawn"),
  option("n", "dont-fork"),
  option("d", "dump-conf"),
  option("p", "pid", "required"),
  option("r", "vrrp_pid", "required"),
  option("T", "genhash"),
  option("c", "checkers_pid", "required"),
  option("a", "address-monitoring"),
  option("b", "bfd_pid", "required"),
  option("x", "snmp"),
  option("A", "snmp-agent-socket", "required"),
  option("s", "namespace", "required"),
  option("m", "core-dump"),
  option("M", "core-dump-pattern", "optional"),
  option("e", "all-config"),
  option("i", "config-id", "required"),
  option(undefined, "signum", "required"),
  option("t", "config-test", "optional"),
  option(undefined, "perf", "optional"),
  option(undefined, "debug", "optional"),
  option(undefined, "no-mem-check"),
  option(undefined, "ignore-sigint"),
  option("v", "version"),
  option("h", "help"),
];

export interface KeepalivedOptions {
  /** By long name; an option without a value has "". */
  readonly given: ReadonlyMap<string, string>;
}

export type ParsedOptions =
  | { readonly ok: true; readonly value: KeepalivedOptions }
  | { readonly ok: false; readonly error: string };

/** Words that are no option are an error, as there are none. The last of several equal ones counts. */
export function parseKeepalivedOptions(words: readonly string[]): ParsedOptions {
  const given = new Map<string, string>();
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const error = word.startsWith("--") ? long(word.slice(2), rest, given) : letters(word, rest, given);
    if (error !== undefined) return { ok: false, error };
  }
  return { ok: true, value: { given } };
}

function long(text: string, rest: string[], given: Map<string, string>): string | undefined {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? undefined : text.slice(equals + 1);
  const exact = KEEPALIVED_OPTIONS.filter((one) => one.long === name);
  const [found, other] = exact.length > 0 ? exact : KEEPALIVED_OPTIONS.filter((one) => one.long.startsWith(name));
  if (found === undefined || other !== undefined || name === "") return `Unknown option --${text}`;
  if (found.value === "none" && value !== undefined) return `Option --${found.long} takes no value`;
  const taken = value ?? (found.value === "required" ? rest.shift() : "");
  if (taken === undefined) return `Missing parameter for option --${found.long}`;
  given.set(found.long, taken);
  return undefined;
}

function letters(word: string, rest: string[], given: Map<string, string>): string | undefined {
  if (!word.startsWith("-") || word === "-") return `Unexpected argument(s): ${word}`;
  for (let at = 1; at < word.length; at++) {
    const letter = word[at] ?? "";
    const found = KEEPALIVED_OPTIONS.find((one) => one.letter === letter);
    if (found === undefined) return `Unknown option -${letter}`;
    if (found.value === "none") {
      given.set(found.long, "");
      continue;
    }
    const joined = word.slice(at + 1);
    const value = joined !== "" ? joined : found.value === "required" ? rest.shift() : "";
    if (value === undefined) return `Missing parameter for option -${letter}`;
    // `-t=FILE` is what the manual shows beside the long form.
    given.set(found.long, found.value === "optional" ? value.replace(/^=/, "") : value);
    return undefined;
  }
  return undefined;
}

/** `--signum=NAME`; undefined: no such name. */
export const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  STOP: 15,
  RELOAD: 1,
  DATA: 10,
  STATS: 12,
  JSON: 36,
  STATS_CLEAR: 63,
};

/** Code of `-S`: 0-7, local0-local7, daemon, user. Undefined: no such facility. RFC 5424 §6.2.1. */
export function facilityOf(text: string): number | undefined {
  const local = /^(?:local)?([0-7])$/.exec(text);
  if (local !== null) return 16 + Number(local[1]);
  return { user: 1, daemon: 3 }[text];
}
