/** The kinds of section of haproxy.cfg (HAProxy 2.6 configuration.txt §3, §4), and what becomes of those not read. */

import type { Severity } from "../text/diagnostic.ts";

export type ProxySectionKind = "defaults" | "frontend" | "backend" | "listen";
export type SectionKind = "global" | ProxySectionKind | OtherSectionKind;
export type OtherSectionKind = keyof typeof OTHER_SECTIONS;

/** Sections that are skipped whole: how bad that is, and why. Everything that would use them is reported at its place. */
export const OTHER_SECTIONS = {
  userlist: ["warning", "nothing that asks for a password by it is implemented"],
  peers: ["warning", "tables are not exchanged"],
  resolvers: ["warning", "host names are not looked up"],
  cache: ["warning", "nothing is cached"],
  mailers: ["warning", "no mail is sent"],
  ring: ["warning", "nothing is logged to it"],
  "http-errors": ["warning", "the built-in pages are sent"],
  program: ["warning", "the program is not started"],
  "fcgi-app": ["warning", "FastCGI is not implemented"],
  "log-forward": ["error", "the log lines that it should pass on would be lost"],
  "crt-store": ["warning", "TLS is not implemented"],
  "crt-list": ["warning", "TLS is not implemented"],
  "log-profile": ["warning", "log lines keep their format"],
  traces: ["warning", "nothing is traced"],
  acme: ["warning", "TLS is not implemented"],
  healthcheck: ["warning", "what uses it is refused"],
  namespace_list: ["warning", "what uses it is refused"],
} as const satisfies Readonly<Record<string, readonly [Severity, string]>>;

const PROXY_SECTIONS: ReadonlySet<string> = new Set(["defaults", "frontend", "backend", "listen"]);

export const SECTION_KINDS: ReadonlySet<string> = new Set([
  "global",
  ...PROXY_SECTIONS,
  ...Object.keys(OTHER_SECTIONS),
]);

export const isSectionKind = (word: string): word is SectionKind => SECTION_KINDS.has(word);
export const isProxySection = (kind: SectionKind): kind is ProxySectionKind => PROXY_SECTIONS.has(kind);
