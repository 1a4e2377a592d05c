/** Where a checker connects, and from where: `connect_ip`, `bindto` and the like (keepalived.conf(5), "Health checkers"). */

import { type IpAddress, isIpv4, parseIp } from "../../base/ip.ts";
import { seconds } from "../../base/time.ts";
import type { CheckConnection } from "../model/virtual-server.ts";
import type { CheckSettings } from "./check-settings.ts";
import { quote, type Report } from "./report.ts";
import type { Word } from "./tree.ts";
import { integer, interfaceName } from "./values.ts";
import type { Handlers } from "./walk.ts";

export interface ConnectionDraft {
  address: { readonly value: IpAddress; readonly at: Word } | undefined;
  port: number | undefined;
  source: { readonly value: IpAddress; readonly at: Word } | undefined;
  sourcePort: number | undefined;
  interface: string | undefined;
  mark: number | undefined;
}

export const noConnection = (): ConnectionDraft => ({
  address: undefined,
  port: undefined,
  source: undefined,
  sourcePort: undefined,
  interface: undefined,
  mark: undefined,
});

const DEFAULT_TIMEOUT = seconds(5);
const GREATEST_MARK = 4_294_967_295;
const LINK_LOCAL = /^fe[89ab][0-9a-f]:/;

export function connectionHandlers(into: ConnectionDraft, report: Report): Handlers {
  const address = (name: "address" | "source") => (word: Word | undefined) => {
    if (word === undefined) return;
    const value = parseIp(word.text);
    if (value !== undefined) into[name] = { value, at: word };
    else {
      const keyword = name === "address" ? "connect_ip" : "bindto";
      const message = `Invalid ${keyword} address ${quote(word.text)} - ignoring`;
      report.warning("keepalived/bad-address", word, message, "Write an IPv4 or IPv6 address");
    }
  };
  return {
    connect_ip: ({ words: [word] }) => address("address")(word),
    connect_port: ({ words: [word] }) => {
      into.port = (word && integer(word, 1, 65_535, report, "the real server's port")) ?? into.port;
    },
    bindto: ({ words: [word] }) => address("source")(word),
    bind_port: ({ words: [word] }) => {
      into.sourcePort = (word && integer(word, 1, 65_535, report, "any port")) ?? into.sourcePort;
    },
    bind_if: ({ words: [word] }) => {
      into.interface = (word && interfaceName(word, report)) ?? into.interface;
    },
    fwmark: ({ words: [word] }) => {
      into.mark = (word && integer(word, 0, GREATEST_MARK, report)) ?? into.mark;
    },
  };
}

/** `server`: what is checked unless the checker names something else. */
export function connectionOf(
  draft: ConnectionDraft,
  settings: CheckSettings,
  server: { readonly address: IpAddress; readonly port: number },
  report: Report,
): CheckConnection {
  const address = draft.address?.value ?? server.address;
  return {
    address,
    port: draft.port ?? server.port,
    source: sourceOf(draft, address, report),
    sourcePort: draft.sourcePort,
    interface: draft.interface,
    mark: draft.mark === 0 ? undefined : draft.mark,
    timeout: settings.connectTimeout ?? DEFAULT_TIMEOUT,
    path: settings.path ?? "direct",
  };
}

function sourceOf({ source, address: given, interface: device }: ConnectionDraft, address: IpAddress, report: Report) {
  if (given !== undefined && LINK_LOCAL.test(address) && device === undefined) {
    const message = `Checker link local address ${quote(address)} requires a bind_if`;
    report.warning("keepalived/link-local", given.at, message, "Add bind_if INTERFACE");
  }
  if (source === undefined || isIpv4(source.value) === isIpv4(address)) return source?.value;
  const message = `bindto address ${quote(source.value)} does not match address family of connect_ip - skipping`;
  report.warning("keepalived/mixed-families", source.at, message, `Give an address of the family of ${address}`);
  return undefined;
}
