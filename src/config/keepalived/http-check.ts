/** `HTTP_GET` and `SSL_GET` (keepalived.conf(5)): what is asked for and what counts as an answer. */

import { type IpAddress, isIpv4 } from "../../base/ip.ts";
import type { HttpCheck, HttpCheckUrl } from "../model/virtual-server.ts";
import type { CheckSettings } from "./check-settings.ts";
import type { OwnPart } from "./checker-draft.ts";
import { type RegexDraft, regexHandlers, regexOf } from "./http-regex.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import { flag } from "./values.ts";
import { type Handlers, walk } from "./walk.ts";

interface UrlDraft extends RegexDraft {
  path: string | undefined;
  host: string | undefined;
  readonly statusCodes: { readonly first: number; readonly last: number }[];
  digest: string | undefined;
}

const SUCCESS = [{ first: 200, last: 299 }];
const LOWEST_STATUS = 100;
const HIGHEST_STATUS = 599;
const VERSIONS = ["1.0", "1.0C", "1.1"] as const;

export function readHttpCheck(
  type: "HTTP_GET" | "SSL_GET",
  at: Word,
  settings: CheckSettings,
  report: Report,
): { readonly handlers: Handlers; readonly own: OwnPart } {
  const urls: (UrlDraft & { readonly path: string })[] = [];
  let httpVersion: HttpCheck["httpVersion"] = "1.0";
  let fastRecovery = false;
  let enableSni = false;
  let sniName: string | undefined;
  const handlers: Handlers = {
    url: (statement) => {
      const url = readUrl(statement, report);
      if (url !== undefined) urls.push(url);
    },
    http_protocol: ({ keyword, words: [word] }) => {
      const version = VERSIONS.find((one) => one === word?.text.toUpperCase());
      if (version !== undefined) httpVersion = version;
      else {
        const message = word === undefined ? "Missing http_protocol version" : "Invalid http_protocol version";
        report.warning("keepalived/bad-http-version", word ?? keyword, message, `One of ${VERSIONS.join(", ")}`);
      }
    },
    nb_get_retry: ({ keyword, words: [count] }) => {
      const help = "Write retry";
      report.warning("keepalived/obsolete", keyword, "nb_get_retry is deprecated - please use 'retry'", help);
      if (count !== undefined && /^[0-9]{1,9}$/.test(count.text)) settings.retry = Number(count.text);
    },
    fast_recovery: ({ words: [value] }) => {
      fastRecovery = flag(value, report) ?? fastRecovery;
    },
    enable_sni: () => {
      enableSni = true;
    },
    sni_name: ({ words: [name] }) => {
      sniName = name?.text;
    },
  };
  const own: OwnPart = ({ settings: { virtualhost }, connection, ssl }) => {
    if (urls.length === 0) {
      const message = `${type} checker has no urls specified - ignoring`;
      report.warning("keepalived/no-url", at, message, "Add url { path / … }");
      return undefined;
    }
    const fallback = virtualhost ?? authority(connection);
    const named = urls.map(({ host }) => host ?? virtualhost).find((host) => host !== undefined);
    const sni = sniName ?? (enableSni ? named : undefined);
    return {
      type,
      httpVersion,
      fastRecovery,
      urls: urls.map((url) => completeUrl(url, fallback, report)),
      tls: type === "SSL_GET" ? { sni, ...ssl } : undefined,
    };
  };
  return { handlers, own };
}

const authority = ({ address, port }: { readonly address: IpAddress; readonly port: number }): string =>
  `${isIpv4(address) ? address : `[${address}]`}:${port}`;

function readUrl(statement: Statement, report: Report): (UrlDraft & { readonly path: string }) | undefined {
  const draft: UrlDraft = {
    path: undefined,
    host: undefined,
    statusCodes: [],
    digest: undefined,
    pattern: undefined,
    negated: false,
    options: [],
    minOffset: 0,
    maxOffset: 0,
  };
  const handlers: Handlers = {
    ...regexHandlers(draft, report),
    path: ({ words: [word] }) => {
      if (word !== undefined && !/^[!-~\u0080-\uffff]*$/.test(word.text)) {
        const message = "path of an url cannot hold blanks or control characters - ignoring";
        report.warning("keepalived/bad-path", word, message, "Write them as %20 and the like");
      } else draft.path = word?.text;
    },
    virtualhost: ({ words: [word] }) => {
      draft.host = word?.text;
    },
    status_code: ({ words }) => {
      for (const word of words) readStatus(word, draft, report);
    },
    digest: ({ words: [word] }) => {
      if (word !== undefined) readDigest(word, draft, report);
    },
  };
  walk(statement.block ?? [], "url", handlers, report);
  const { path } = draft;
  if (path !== undefined) return { ...draft, path };
  const message = "HTTP_GET or SSL_GET url has no path - ignoring";
  report.warning("keepalived/no-url", statement.keyword, message, "Add path /");
  return undefined;
}

function readStatus(word: Word, draft: UrlDraft, report: Report): void {
  const [, from = "", to = from] = /^([0-9]{3})(?:-([0-9]{3}))?$/.exec(word.text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (first >= LOWEST_STATUS && last <= HIGHEST_STATUS && first <= last) {
    draft.statusCodes.push({ first, last });
    return;
  }
  const help = `Write codes from ${LOWEST_STATUS} to ${HIGHEST_STATUS} and ranges such as 200-299, with blanks between`;
  report.warning("keepalived/bad-status-code", word, `Invalid HTTP_GET status code ${quote(word.text)}`, help);
}

function readDigest(word: Word, draft: UrlDraft, report: Report): void {
  if (!/^[0-9A-Fa-f]{32}$/.test(word.text)) {
    const message = `digest ${quote(word.text)} is not 32 hexadecimal digits - ignoring`;
    report.warning("keepalived/bad-digest", word, message, "It is the MD5 of the body, as genhash prints it");
    return;
  }
  const digest = word.text.toLowerCase();
  if (draft.digest === digest) {
    report.warning("keepalived/bad-digest", word, `Digest ${quote(word.text)} is a duplicate`, "Give it once");
  }
  draft.digest = digest;
}

function completeUrl(draft: UrlDraft & { readonly path: string }, host: string, report: Report): HttpCheckUrl {
  const { path, digest, statusCodes } = draft;
  const codes = statusCodes.length > 0 ? statusCodes : SUCCESS;
  return { path, host: draft.host ?? host, statusCodes: codes, digest, regex: regexOf(draft, report) };
}
