/** `server NAME ADDRESS [PARAMETER]…` and `default-server` (HAProxy 2.6 configuration.txt §4.2 and §5.2). */

import type { IpAddress } from "../../base/ip.ts";
import { seconds } from "../../base/time.ts";
import type { ServerCheck } from "../model/proxy.ts";
import { parseSocketAddress } from "./address.ts";
import type { KeywordReader, ServerSettings } from "./draft.ts";
import { KEYWORDS } from "./keywords.ts";
import { NOT_IN_NAME } from "./names.ts";
import { readParameters } from "./parameters.ts";
import { accepted, numberOf, type Reading, shortened } from "./reading.ts";
import { present, type Statement } from "./statement.ts";
import { parseTime } from "./units.ts";
import type { Word } from "./words.ts";

const INTER = seconds(2);

/** What is of one server alone. */
interface Own {
  id: number | undefined;
}

export const readDefaultServer: KeywordReader = (statement, draft, reading) => {
  if (!present(statement, 1, "parameters of servers", reading.diagnostics)) return;
  const address = parseSocketAddress(statement.text(1));
  if (!KEYWORDS.server.rows.has(statement.text(1)) && address.ok && address.value.kind === "ip") {
    const message = "'default-server' takes no address";
    reading.diagnostics.error("haproxy/extra-argument", statement.span(1), message, "remove it");
    return;
  }
  const settings = { ...draft.settings.server };
  if (readServerParameters(statement, 1, settings, { id: undefined }, reading)) draft.settings.server = settings;
};

export const readServer: KeywordReader = (statement, draft, reading) => {
  const { diagnostics } = reading;
  if (!present(statement, 1, "a name and an address", diagnostics)) return;
  if (!present(statement, 2, "an address after the name", diagnostics)) return;
  const name = statement.text(1);
  const wrong = NOT_IN_NAME.exec(name);
  if (wrong !== null) {
    const message = `'${wrong[0]}' is not allowed in the name of a server`;
    diagnostics.error("haproxy/bad-name", statement.span(1), message, "use letters, digits, '-', '_', '.' and ':'");
    return;
  }
  const address = readServerAddress(statement, reading);
  const settings = { ...draft.settings.server };
  const own: Own = { id: undefined };
  const complete = readServerParameters(statement, 3, settings, own, reading);
  if (draft.serverNames.has(name)) {
    const message = `'${draft.name}' has a server '${shortened(name)}' already`;
    diagnostics.error("haproxy/duplicate-name", statement.span(1), message, "give each server a name of its own");
    return;
  }
  draft.serverNames.add(name);
  if (address === undefined || !complete) return;
  const check = serverCheck(statement, settings, address, reading);
  const { weight, backup, disabled, cookie, maxconn, sendProxy, onMarkedDown } = settings;
  if (own.id !== undefined) {
    if (draft.serverIds.has(own.id)) {
      const span = statement.span(statement.words.findIndex((word) => word.text === "id") + 1);
      diagnostics.error("haproxy/duplicate-id", span, `id ${own.id} belongs to another server of '${draft.name}'`);
    }
    draft.serverIds.add(own.id);
  }
  draft.servers.push({
    name,
    id: own.id,
    ...address,
    weight,
    backup,
    disabled,
    cookie,
    maxconn,
    check,
    sendProxy,
    onMarkedDown,
  });
};

function readServerAddress(
  statement: Statement,
  { diagnostics }: Reading,
): { address: IpAddress; port: number } | undefined {
  const text = statement.text(2);
  const span = statement.span(2);
  const missing = (what: string): undefined => {
    diagnostics.error("haproxy/not-implemented", span, `${what} are not implemented for servers`, "write ADDRESS:PORT");
  };
  const parsed = parseSocketAddress(text);
  if (!parsed.ok) {
    diagnostics.error("haproxy/bad-address", span, `'${shortened(text)}': ${parsed.error}`);
    return undefined;
  }
  const target = parsed.value;
  if (/^udp[46]?@/.test(text)) return missing("UDP addresses");
  switch (target.kind) {
    case "unix":
      return missing("Unix sockets");
    case "descriptor":
      return missing("descriptors");
    case "other":
      return missing(`'${target.family}@' addresses`);
    case "name": {
      const help = "write the address of the server";
      diagnostics.error("haproxy/host-name", span, `the host name '${target.host}' is not looked up`, help);
      return undefined;
    }
    case "ip": {
      const { address, ports } = target;
      if (address === undefined || address === "0.0.0.0" || address === "::")
        return missing("addresses that stand for where the client went");
      if (ports?.relative === true) return missing("ports counted from the client's");
      if (ports !== undefined && ports.first !== ports.last) {
        diagnostics.error("haproxy/bad-address", span, "a server has one port", "write one 'server' line a port");
        return undefined;
      }
      return { address, port: ports?.first ?? 0 };
    }
    default:
      return target satisfies never;
  }
}

function readServerParameters(
  statement: Statement,
  from: number,
  settings: ServerSettings,
  own: Own,
  reading: Reading,
): boolean {
  return readParameters(statement, from, KEYWORDS.server, reading, (name, at) => {
    const word = statement.words[at];
    return FLAGS[name]?.(settings) ?? (word !== undefined && readValue(name, word, settings, own, reading));
  });
}

const FLAGS: Readonly<Record<string, (settings: ServerSettings) => true>> = {
  backup: (settings) => set(settings, { backup: true }),
  "no-backup": (settings) => set(settings, { backup: false }),
  check: (settings) => set(settings, { checked: true }),
  "no-check": (settings) => set(settings, { checked: false }),
  disabled: (settings) => set(settings, { disabled: true }),
  enabled: (settings) => set(settings, { disabled: false }),
  "send-proxy": (settings) => set(settings, { sendProxy: 1 }),
  "send-proxy-v2": (settings) => set(settings, { sendProxy: 2 }),
  "no-send-proxy": (settings) =>
    set(settings, { sendProxy: settings.sendProxy === 1 ? undefined : settings.sendProxy }),
  "no-send-proxy-v2": (settings) =>
    set(settings, { sendProxy: settings.sendProxy === 2 ? undefined : settings.sendProxy }),
};

function set(settings: ServerSettings, part: Partial<ServerSettings>): true {
  Object.assign(settings, part);
  return true;
}

function readValue(name: string, word: Word, settings: ServerSettings, own: Own, reading: Reading): boolean {
  const { diagnostics } = reading;
  const refuse = (message: string, help?: string): false => {
    diagnostics.error("haproxy/bad-value", word.span, message, help);
    return false;
  };
  switch (name) {
    case "cookie":
      return set(settings, { cookie: word.text });
    case "on-marked-down":
      if (word.text !== "shutdown-sessions") return refuse(`'on-marked-down' knows 'shutdown-sessions' only`);
      return set(settings, { onMarkedDown: "shutdown-sessions" });
    case "inter":
    case "fastinter":
    case "downinter": {
      const time = accepted(parseTime(word.text), word, "haproxy/bad-time", reading);
      if (time === 0) return refuse(`'${name}' must be above 0`);
      return time !== undefined && set(settings, { [name]: time });
    }
    case "addr": {
      const parsed = parseSocketAddress(word.text);
      if (parsed.ok && parsed.value.kind === "ip" && parsed.value.address !== undefined)
        return set(settings, { checkAddress: parsed.value.address });
      diagnostics.error("haproxy/bad-address", word.span, `'${shortened(word.text)}' is not an IP address`);
      return false;
    }
    case "weight": {
      const weight = numberOf(word, reading);
      return weight >= 0 && weight <= 256 ? set(settings, { weight }) : refuse("a weight is from 0 to 256");
    }
    case "rise":
    case "fall": {
      const count = numberOf(word, reading);
      return count > 0 ? set(settings, { [name]: count }) : refuse(`'${name}' must be above 0`);
    }
    case "maxconn": {
      const maxconn = numberOf(word, reading);
      return maxconn >= 0 ? set(settings, { maxconn }) : refuse("'maxconn' cannot be negative", "0 is no limit");
    }
    case "port": {
      const port = numberOf(word, reading);
      return port >= 0 && port <= 65_535 ? set(settings, { checkPort: port }) : refuse("a port is from 0 to 65535");
    }
    case "id": {
      own.id = numberOf(word, reading);
      return own.id > 0 || refuse("an id must be above 0");
    }
    default:
      return true;
  }
}

function serverCheck(
  statement: Statement,
  settings: ServerSettings,
  server: { address: IpAddress; port: number },
  { diagnostics }: Reading,
): ServerCheck | undefined {
  if (!settings.checked) return undefined;
  const port = settings.checkPort || server.port;
  if (port === 0) {
    const message = `server '${shortened(statement.text(1))}' has neither a port of its own nor one for its checks`;
    diagnostics.error("haproxy/no-check-port", statement.span(2), message, "write ADDRESS:PORT, or add 'port PORT'");
    return undefined;
  }
  const inter = settings.inter ?? INTER;
  return {
    address: settings.checkAddress ?? server.address,
    port,
    inter,
    fastinter: settings.fastinter ?? inter,
    downinter: settings.downinter ?? inter,
    rise: settings.rise,
    fall: settings.fall,
  };
}
