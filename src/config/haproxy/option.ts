/** The `option`s that are more than a known word (HAProxy 2.6 configuration.txt §4.2). */

import type { IpPrefix } from "../../base/ip.ts";
import { ipToBytes, isIpv4, parseIp, parseIpPrefix } from "../../base/ip.ts";
import type { ConnectionMode } from "../model/proxy.ts";
import { readHttpchk, readTcpCheckOption } from "./check.ts";
import type { KeywordReader } from "./draft.ts";
import { numberOf, shortened } from "./reading.ts";
import { didYouMean, nothingFrom, present } from "./statement.ts";

/** Options that `no option …` may switch off, with the reader that does both. */
export const NEGATABLE: ReadonlySet<string> = new Set([
  "option allbackups",
  "option dontlog-normal",
  "option dontlognull",
  "option http-keep-alive",
  "option http-server-close",
  "option httpclose",
  "option log-health-checks",
  "option redispatch",
]);

const flag =
  (key: "allBackups" | "dontLogNormal" | "dontLogNull" | "logHealthChecks"): KeywordReader =>
  (statement, { settings }, { diagnostics }) => {
    if (nothingFrom(statement, 2, diagnostics)) settings[key] = statement.form === "plain";
  };

/** The last of the three wins; taking back one that is not in force changes nothing. */
const connection =
  (mode: ConnectionMode): KeywordReader =>
  (statement, { settings }, { diagnostics }) => {
    if (!nothingFrom(statement, 2, diagnostics)) return;
    if (statement.form === "plain") settings.connectionMode = mode;
    else if (settings.connectionMode === mode) settings.connectionMode = "keep-alive";
  };

const logFormat =
  (format: "httplog" | "tcplog"): KeywordReader =>
  (statement, { settings }, { diagnostics }) => {
    const clf = format === "httplog" && statement.text(2) === "clf";
    if (!nothingFrom(statement, clf ? 3 : 2, diagnostics)) return;
    settings.logFormat = { value: clf ? "clf" : format, span: statement.spanFrom(0) };
  };

const readForwardfor: KeywordReader = (statement, { settings }, { diagnostics }) => {
  let header = "X-Forwarded-For";
  let except: IpPrefix | undefined;
  let ifNone = false;
  for (let at = 2; at < statement.length; at++) {
    const word = statement.text(at);
    if (word === "if-none") ifNone = true;
    else if (word === "header" || word === "except") {
      at++;
      if (!present(statement, at, word === "header" ? "a header name" : "ADDRESS[/MASK]", diagnostics)) return;
      if (word === "header") header = statement.text(at);
      else {
        except = parseMaskedPrefix(statement.text(at));
        if (except === undefined) {
          const message = `'${shortened(statement.text(at))}' is not ADDRESS[/MASK]`;
          diagnostics.error("haproxy/bad-address", statement.span(at), message);
          return;
        }
      }
    } else {
      const help = didYouMean(word, ["except", "header", "if-none"], diagnostics);
      diagnostics.error(
        "haproxy/unknown-keyword",
        statement.span(at),
        `'option forwardfor' knows no '${shortened(word)}'`,
        help,
      );
      return;
    }
  }
  settings.forwardFor = { value: { header, except, ifNone }, span: statement.spanFrom(0) };
};

/** `option redispatch [N]`: −1, when the last retry is due, is the default. */
const readRedispatch: KeywordReader = (statement, { settings }, reading) => {
  if (!nothingFrom(statement, 3, reading.diagnostics)) return;
  const word = statement.words[2];
  if (statement.form !== "plain") settings.redispatch = undefined;
  else settings.redispatch = word === undefined ? -1 : numberOf(word, reading);
};

export const OPTION_READERS: Readonly<Record<string, KeywordReader>> = {
  "option allbackups": flag("allBackups"),
  "option dontlog-normal": flag("dontLogNormal"),
  "option dontlognull": flag("dontLogNull"),
  "option log-health-checks": flag("logHealthChecks"),
  "option http-keep-alive": connection("keep-alive"),
  "option http-server-close": connection("server-close"),
  "option httpclose": connection("close"),
  "option forceclose": connection("close"),
  "option http-tunnel": connection("keep-alive"),
  "option httplog": logFormat("httplog"),
  "option tcplog": logFormat("tcplog"),
  "option forwardfor": readForwardfor,
  "option redispatch": readRedispatch,
  "option httpchk": readHttpchk,
  "option tcp-check": readTcpCheckOption,
};

/** `10.0.0.0/8` and also `10.0.0.0/255.0.0.0`. */
function parseMaskedPrefix(text: string): IpPrefix | undefined {
  const [head = "", mask = ""] = text.split("/");
  const dotted = parseIp(mask);
  if (dotted === undefined || !isIpv4(dotted)) return parseIpPrefix(text);
  const bits = Array.from(ipToBytes(dotted), (byte) => byte.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/.test(bits) ? parseIpPrefix(`${head}/${bits.lastIndexOf("1") + 1}`) : undefined;
}
