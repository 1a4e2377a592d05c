/**
 * haproxy.cfg → the typed model, with everything that is to be said about it.
 *
 * HAProxy 2.6's configuration.txt, and the binary where that is silent. Several files are one configuration, in order.
 * Pure: files, environment and host are arguments. Looks up no host names, opens nothing.
 */

import type { ProxyConfiguration } from "../model/proxy.ts";
import { Diagnostics } from "../text/diagnostic.ts";
import type { ConfigurationFiles } from "../text/files.ts";
import type { Source } from "../text/source.ts";
import { HAPROXY_VERSION } from "./condition.ts";
import type { ProxyDraft } from "./draft.ts";
import { Environment } from "./environment.ts";
import { finish } from "./finish.ts";
import { initialGlobal, readGlobalStatement } from "./global.ts";
import { parse } from "./parse.ts";
import { readProxyStatement } from "./proxy.ts";
import type { Reading } from "./reading.ts";
import { DefaultsSections, openSection } from "./section.ts";
import { isProxySection, OTHER_SECTIONS } from "./sections.ts";

/** Every port on three addresses. */
const MOST_BINDS = 200_000;

export interface HaproxyContext {
  readonly files: ConfigurationFiles;
  /** Of the process; `setenv` and its like change a copy. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The machine's name: `HAPROXY_LOCALPEER`, and what `stats show-node` shows. */
  readonly hostname: string;
}

export interface LoadedHaproxy {
  /** Undefined when there is an error: what is left of such a configuration would not do what its files say. */
  readonly model: ProxyConfiguration | undefined;
  readonly diagnostics: Diagnostics;
}

export function loadHaproxy(sources: readonly Source[], context: HaproxyContext): LoadedHaproxy {
  const diagnostics = new Diagnostics();
  const reading: Reading = { diagnostics, ...context, room: { binds: MOST_BINDS }, errorPages: new Map() };
  const environment = new Environment({
    ...context.environment,
    HAPROXY_CFGFILES: sources.map((source) => source.name).join(";"),
    HAPROXY_LOCALPEER: context.hostname,
    HAPROXY_STARTUP_VERSION: HAPROXY_VERSION,
    HAPROXY_BRANCH: HAPROXY_VERSION.split(".").slice(0, 2).join("."),
  });
  const global = initialGlobal();
  const defaults = new DefaultsSections();
  const drafts: ProxyDraft[] = [];
  for (const { kind, head, statements } of parse(sources, environment, diagnostics)) {
    if (kind === "global") for (const statement of statements) readGlobalStatement(statement, global, reading);
    else if (isProxySection(kind)) {
      const draft = openSection(kind, head, defaults, reading);
      for (const statement of statements) readProxyStatement(statement, draft, reading);
      if (kind === "defaults") defaults.add(draft.name, draft.settings);
      else drafts.push(draft);
    } else {
      const [severity, why] = OTHER_SECTIONS[kind];
      diagnostics.add(severity, "haproxy/not-implemented", head.head.span, `section '${kind}' is skipped: ${why}`);
    }
  }
  const [first] = sources;
  const start = first === undefined ? undefined : { source: first, start: 0, end: Math.min(1, first.text.length) };
  const model = finish(global, drafts, start, reading);
  return { model: diagnostics.errors > 0 ? undefined : model, diagnostics };
}
