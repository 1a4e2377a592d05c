/** `bind ADDRESS[,ADDRESS]… [PARAMETER]…` (HAProxy 2.6 configuration.txt §4.2 and §5.1). */

import type { IpAddress } from "../../base/ip.ts";
import type { Bind } from "../model/proxy.ts";
import type { Span } from "../text/source.ts";
import { parseSocketAddress } from "./address.ts";
import type { KeywordReader } from "./draft.ts";
import { KEYWORDS } from "./keywords.ts";
import { readParameters } from "./parameters.ts";
import { numberOf, type Problem, type Reading, shortened } from "./reading.ts";
import { present, type Statement } from "./statement.ts";

type BindParameters = { -readonly [K in Exclude<keyof Bind, "text" | "address" | "port">]: Bind[K] };

export const PLAIN_BIND: Readonly<BindParameters> = {
  name: undefined,
  v6only: false,
  /** That of the proxy, which may be set further down. */
  backlog: undefined,
  interface: undefined,
  transparent: false,
};

export const readBind: KeywordReader = (statement, draft, reading) => {
  if (!present(statement, 1, "[ADDRESS]:PORT[-PORT]", reading.diagnostics)) return;
  const addresses = readBindAddresses(statement.text(1), statement.span(1), reading);
  const parameters = readBindParameters(statement, reading);
  if (parameters === undefined) return;
  for (const address of addresses) draft.binds.push({ ...address, ...parameters });
};

/** One entry an address and port; what cannot be listened on is reported and left out. */
export function readBindAddresses(
  text: string,
  span: Span,
  reading: Reading,
): Pick<Bind, "text" | "address" | "port">[] {
  const found: Pick<Bind, "text" | "address" | "port">[] = [];
  let start = span.start;
  for (const part of text.split(",")) {
    // Quoting and variables make the word differ from what is written; then the whole word is what is pointed at.
    const exact = text.length === span.end - span.start;
    const at = exact ? { source: span.source, start, end: start + part.length } : span;
    start += part.length + 1;
    const problem = bindAddress(part, found, reading);
    if (problem !== undefined) {
      const message = `'${shortened(part)}' cannot be listened on: ${problem.message}`;
      reading.diagnostics.error(problem.code, at, message, problem.help);
    }
  }
  return found;
}

function bindAddress(
  text: string,
  found: Pick<Bind, "text" | "address" | "port">[],
  { room }: Reading,
): Problem | undefined {
  const bad = (message: string) => ({ code: "haproxy/bad-address", message });
  const missing = (message: string) => ({
    code: "haproxy/not-implemented",
    message: `${message} are not implemented here`,
    help: "listen on ADDRESS:PORT",
  });
  const parsed = parseSocketAddress(text);
  if (!parsed.ok) return bad(parsed.error);
  const target = parsed.value;
  if (/^udp[46]?@/.test(text)) return missing("UDP sockets");
  switch (target.kind) {
    case "unix":
      return missing("Unix sockets");
    case "descriptor":
      return missing("inherited descriptors");
    case "other":
      return missing(`'${target.family}@' addresses`);
    case "name": {
      const help = `write the address of '${target.host}'`;
      return { code: "haproxy/host-name", message: "host names are not looked up", help };
    }
    case "ip": {
      const { ports } = target;
      if (ports === undefined) return { ...bad("the port is missing"), help: `write ${text.replace(/:$/, "")}:PORT` };
      if (ports.relative || ports.first === 0) return bad("the port must be from 1 to 65535");
      const address = target.address ?? ((target.family === 6 ? "::" : "0.0.0.0") as IpAddress);
      room.binds -= ports.last - ports.first + 1;
      if (room.binds < 0) return bad("there are too many addresses and ports in this configuration");
      for (let port = ports.first; port <= ports.last; port++) {
        const single = ports.first === ports.last;
        found.push({ text: single ? text : `${text.slice(0, text.lastIndexOf(":"))}:${port}`, address, port });
      }
      return undefined;
    }
    default:
      return target satisfies never;
  }
}

function readBindParameters(statement: Statement, reading: Reading): BindParameters | undefined {
  const parameters: BindParameters = { ...PLAIN_BIND };
  const complete = readParameters(statement, 2, KEYWORDS.bind, reading, (parameter, at) => {
    const word = statement.words[at];
    if (parameter === "name") parameters.name = statement.text(at);
    else if (parameter === "v6only") parameters.v6only = true;
    else if (parameter === "v4v6") parameters.v6only = false;
    else if (parameter === "transparent") parameters.transparent = true;
    else if (parameter === "interface") parameters.interface = statement.text(at);
    else if (parameter === "backlog" && word !== undefined) {
      const backlog = numberOf(word, reading);
      if (backlog < 0) {
        reading.diagnostics.error("haproxy/bad-value", word.span, "the backlog must be above 0");
        return false;
      }
      parameters.backlog = backlog === 0 ? undefined : backlog;
    }
    return true;
  });
  return complete ? parameters : undefined;
}
