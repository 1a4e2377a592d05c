/** The line that opens a proxy section: its name, the `defaults` that it starts from, addresses of old practice. */

import { PLAIN_BIND, readBindAddresses } from "./bind.ts";
import type { ProxyDraft, Settings } from "./draft.ts";
import { NOT_IN_NAME } from "./names.ts";
import { type Reading, shortened } from "./reading.ts";
import type { ProxySectionKind } from "./sections.ts";
import { copySettings, initialSettings } from "./settings.ts";
import { didYouMean, present, type Statement } from "./statement.ts";
import type { Word } from "./words.ts";

/** `defaults` seen so far. */
export class DefaultsSections {
  /** What a section without `from` starts from. */
  #last: Settings = initialSettings();
  readonly #named = new Map<string, { readonly settings: Settings; ambiguous: boolean }>();

  /** Called once the section has been read whole. */
  add(name: string, settings: Settings): void {
    this.#last = settings;
    if (name === "") return;
    this.#named.set(name, { settings, ambiguous: this.#named.has(name) });
  }

  startingFrom(from: Word | undefined, kind: ProxySectionKind, { diagnostics }: Reading): Settings {
    if (from === undefined) return kind === "defaults" ? initialSettings() : copySettings(this.#last);
    const found = this.#named.get(from.text);
    if (found === undefined) {
      const message = `there is no 'defaults ${shortened(from.text)}'`;
      const near = didYouMean(from.text, this.#named.keys(), diagnostics);
      diagnostics.error("haproxy/unknown-defaults", from.span, message, near ?? "name one that stands above");
    } else if (found.ambiguous) {
      const message = `there are several 'defaults ${shortened(from.text)}'`;
      diagnostics.error("haproxy/unknown-defaults", from.span, message, "give each a name of its own");
    }
    return copySettings(found?.settings ?? this.#last);
  }
}

export function openSection(
  kind: ProxySectionKind,
  head: Statement,
  defaults: DefaultsSections,
  reading: Reading,
): ProxyDraft {
  const { diagnostics } = reading;
  const name = kind === "defaults" && head.text(1) === "from" ? "" : head.text(1);
  if (kind !== "defaults") present(head, 1, "a name", diagnostics);
  const wrong = NOT_IN_NAME.exec(name);
  if (wrong !== null) {
    const message = `'${wrong[0]}' is not allowed in the name of a section`;
    diagnostics.error("haproxy/bad-name", head.span(1), message, "use letters, digits, '-', '_', '.' and ':'");
  }
  let at = kind === "defaults" && name === "" ? 1 : 2;
  let from: Word | undefined;
  if (head.text(at) === "from" && present(head, at + 1, "the name of a 'defaults' section", diagnostics)) {
    from = head.words[at + 1];
    at += 2;
  }
  const draft: ProxyDraft = {
    kind,
    name,
    span: name === "" ? head.head.span : head.span(1),
    settings: defaults.startingFrom(from, kind, reading),
    seen: new Map(),
    binds: [],
    servers: [],
    serverIds: new Set(),
    serverNames: new Set(),
    id: undefined,
    description: undefined,
  };
  const extra = head.words[at];
  if (extra !== undefined) readExtra(extra.text, head, at, draft, reading);
  return draft;
}

/** `listen NAME ADDRESS:PORT` was the way until 1.8; other words behind the name never meant anything. */
function readExtra(text: string, head: Statement, at: number, draft: ProxyDraft, reading: Reading): void {
  const { diagnostics } = reading;
  if ((draft.kind === "listen" || draft.kind === "frontend") && text.includes(":")) {
    const message = `an address behind the name of a '${draft.kind}' is old syntax that HAProxy refuses`;
    const help = `write 'bind ${shortened(text)}' on a line of its own`;
    diagnostics.warning("haproxy/legacy", head.span(at), message, help);
    for (const address of readBindAddresses(text, head.span(at), reading))
      draft.binds.push({ ...address, ...PLAIN_BIND });
    return;
  }
  const message = `'${shortened(text)}' behind the name of a section means nothing`;
  const fatal = draft.kind === "listen" || draft.kind === "frontend";
  diagnostics.add(fatal ? "error" : "warning", "haproxy/extra-argument", head.spanFrom(at), message, "remove it");
}
