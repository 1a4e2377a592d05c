/**
 * What differs between two values of the typed model, field by field, in words. Lists of things that have a name, an address
 * or a text of their own are compared thing by thing; their order counts for nothing.
 *
 * Says nothing of what a difference does: `reload-plan.ts`.
 */

export interface FieldChange {
  /** In the words of the configuration where there is one: `advert_int`, `virtual_ipaddress`. */
  readonly field: string;
  /** Undefined: there was none, or there is none any more. */
  readonly from: string | undefined;
  readonly to: string | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Fields of the two that differ, in the order of `after`. Those in `except` are passed over. */
export function fieldChanges(before: object, after: object, except: readonly string[] = []): FieldChange[] {
  const [old, now] = [before as Fields, after as Fields];
  const names = [...new Set([...Object.keys(now), ...Object.keys(old)])].filter((name) => !except.includes(name));
  return names.flatMap((name) => changesOf(name, old[name], now[name]));
}

function changesOf(name: string, old: unknown, now: unknown): FieldChange[] {
  if (isSame(old, now)) return [];
  const field = WORDS[name] ?? snakeCase(name);
  if (SECRETS.includes(name)) return [{ field, from: hidden(old), to: hidden(now) }];
  if (Array.isArray(old) && Array.isArray(now)) return listChanges(name, field, old, now);
  // A group of settings, and not one thing with a text of its own.
  if (isFields(old) && isFields(now) && ownText(old) === undefined && ownText(now) === undefined) {
    return fieldChanges(old, now).map((one) => ({ ...one, field: `${field} ${one.field}` }));
  }
  return [{ field, from: textOf(name, old), to: textOf(name, now) }];
}

function listChanges(name: string, field: string, old: readonly unknown[], now: readonly unknown[]): FieldChange[] {
  const key = (value: unknown): string => (isFields(value) ? (keyOf(value) ?? JSON.stringify(value)) : String(value));
  const [before, after] = [new Map(old.map((one) => [key(one), one])), new Map(now.map((one) => [key(one), one]))];
  const changes = [...new Set([...before.keys(), ...after.keys()])].flatMap((which): FieldChange[] => {
    const [from, to] = [before.get(which), after.get(which)];
    if (isSame(from, to)) return [];
    return [
      {
        field,
        from: before.has(which) ? textOf(name, from) : undefined,
        to: after.has(which) ? textOf(name, to) : undefined,
      },
    ];
  });
  // The same things in another order.
  return changes.length > 0 ? changes : [{ field, from: textOf(name, old), to: textOf(name, now) }];
}

/** By what a thing in a list is told from the others. */
const keyOf = (thing: Fields): string | undefined => {
  for (const name of ["name", "address", "written", "interface", "script", "path", "text"]) {
    const value = thing[name];
    if (typeof value === "string") return value;
  }
  return undefined;
};

/** A thing that one would write in one word or line. */
function ownText(value: Fields): string | undefined {
  const { address, prefixLength, interface: on, argv, written, name, script, weight, length, type } = value;
  if (typeof written === "string") return written;
  if (Array.isArray(argv)) return argv.join(" ");
  if (typeof address === "string") {
    if (prefixLength !== undefined) return `${address}/${prefixLength}${typeof on === "string" ? ` dev ${on}` : ""}`;
    return typeof length === "number" ? `${address}/${length}` : rest(address, value, "address");
  }
  const called = [name, script, on].find((one) => typeof one === "string");
  if (typeof called === "string")
    return typeof weight === "number" ? weighted(called, weight, value.reverse) : undefined;
  return typeof type === "string" && Object.keys(value).length === 1 ? type : undefined;
}

const weighted = (name: string, weight: number, reverse: unknown): string =>
  `${name}${weight === 0 ? "" : ` weight ${weight}`}${reverse === true ? " reverse" : ""}`;

function rest(head: string, value: Fields, ...without: readonly string[]): string {
  const more = Object.entries(value).filter(([name, one]) => !without.includes(name) && typeof one !== "object");
  return [head, ...more.map(([name, one]) => `${snakeCase(name)} ${one}`)].join(" ");
}

/** Integer microseconds in the model. */
const DURATIONS = [
  "advertInterval",
  "preemptDelay",
  "interval",
  "timeout",
  "startupDelay",
  "delayAfterBoot",
  "masterDelay",
  "masterRefresh",
  "lowerPrioDelay",
  "neighbourInterval",
  "extraInterfaces",
  "forkDelay",
  "terminateDelay",
  "delayLoop",
  "delayBeforeRetry",
  "warmup",
  "client",
  "connect",
  "server",
  "httpRequest",
  "httpKeepAlive",
  "queue",
  "check",
  "tunnel",
  "clientFin",
  "serverFin",
  "hardStopAfter",
];

const SECRETS = ["authPass", "password"];

/** Where the model's name is not the keyword with capitals for underscores. */
const WORDS: Readonly<Record<string, string>> = {
  advertInterval: "advert_int",
  authPass: "auth_pass",
  virtualAddresses: "virtual_ipaddress",
  excludedAddresses: "virtual_ipaddress_excluded",
  unicastPeers: "unicast_peer",
  sourceAddress: "source address",
  trackSourceAddress: "track_src_ip",
  multicastGroup: "multicast group",
  checkUnicastSource: "check_unicast_src",
  checksumWithoutPseudoHeader: "v3_checksum_as_v2",
  ignoreOwnLink: "dont_track_primary",
  trackInterfaces: "track_interface",
  trackScripts: "track_script",
  trackFiles: "track_file",
  trackProcesses: "track_process",
  trackProxies: "track_proxy",
  trackServices: "track_service",
  lowerPrioNoAdvert: "lower_prio_no_advert",
  higherPrioSendAdvert: "higher_prio_send_advert",
  skipCheckAdvAddr: "skip_check_adv_addr",
  strict: "strict_mode",
  mcastGroup4: "vrrp_mcast_group4",
  mcastGroup6: "vrrp_mcast_group6",
  realServers: "real_server",
  scheduler: "lb_algo",
  persistence: "persistence_timeout",
  command: "script",
  members: "group",
  servers: "server",
  binds: "bind",
};

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const hidden = (value: unknown): string | undefined => (value === undefined ? undefined : "(not shown)");

const LONGEST = 120;

function textOf(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && DURATIONS.includes(name)) return `${value / 1_000_000} s`;
  if (Array.isArray(value)) return cut(value.map((one) => textOf(name, one) ?? "none").join(", "));
  if (isFields(value)) return cut(ownText(value) ?? keyOf(value) ?? JSON.stringify(value));
  return String(value);
}

const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);
