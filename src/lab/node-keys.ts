/** What both file formats write in the same way inside a node: pairs, commands, binds, routes. */

import type { Diagnostics } from "../config/text/diagnostic.ts";
import type { DraftBind, DraftNode, DraftPair, Placed } from "./draft.ts";
import type { Command } from "./topology.ts";
import { commandFromText } from "./words.ts";
import type { YamlField, YamlValue } from "./yaml-tree.ts";

export function placed(value: YamlValue, what: string): Placed<string> | undefined {
  const text = value.text(what);
  return text === undefined ? undefined : { value: text, span: value.span };
}

/** `{ KEY: value }` or `[KEY=value]`; a key without a value is taken from `fallback`, or left out. */
export function pairs(
  field: YamlField | undefined,
  what: string,
  fallback: (key: string) => string | undefined = () => undefined,
): DraftPair[] {
  if (field === undefined) return [];
  const { value } = field;
  if (value.kind === "map") {
    return value.fields(what).flatMap(({ key, keySpan, value: one }) => {
      const text = one.kind === "nothing" ? fallback(key) : one.text(`"${key}"`);
      return text === undefined ? [] : [{ key: { value: key, span: keySpan }, value: text }];
    });
  }
  return value.list(what).flatMap((item) => {
    const text = item.text(what);
    if (text === undefined) return [];
    const [key = "", ...rest] = text.split("=");
    const given = rest.length > 0 ? rest.join("=") : fallback(key);
    return given === undefined ? [] : [{ key: { value: key.trim(), span: item.span }, value: given.trim() }];
  });
}

/** A list of commands, each a text or a list of words; a text alone is one command. */
export function commands(field: YamlField | undefined, what: string): Command[] {
  if (field === undefined) return [];
  const values = field.value.kind === "text" ? [field.value] : field.value.list(what);
  return values.flatMap((value) => {
    const words = command(value, what);
    return words === undefined ? [] : [words];
  });
}

/** A text, split as sh would, or a list of words. */
export function command(value: YamlValue, what: string): Command | undefined {
  if (value.kind !== "list") return commandFromText(value.text(what) ?? "");
  const [first, ...rest] = value.texts(what);
  return first === undefined ? undefined : [first, ...rest];
}

/** What stays running: a text, or a list of texts and of `{ name, command }`. */
export function programs(field: YamlField | undefined, what: string): DraftNode["programs"] {
  if (field === undefined) return [];
  const values = field.value.kind === "list" ? field.value.list(what) : [field.value];
  return values.flatMap((value) => {
    if (value.kind !== "map") {
      const words = command(value, what);
      return words === undefined ? [] : [{ command: words }];
    }
    const { name, command: text } = value.record(what, ["name", "command"]);
    const words = text === undefined ? undefined : command(text.value, what);
    if (words === undefined) return [];
    const called = name === undefined ? undefined : placed(name.value, "a program's name");
    return [called === undefined ? { command: words } : { name: called, command: words }];
  });
}

/** `SOURCE:TARGET[:ro]`. */
export function bind(value: YamlValue, what: string, diagnostics: Diagnostics): DraftBind | undefined {
  const text = value.text(what);
  if (text === undefined) return undefined;
  const [source = "", target, ...options] = text.split(":");
  const flags = options
    .join(",")
    .split(",")
    .filter((one) => one !== "");
  const unknown = flags.find((flag) => !/^(ro|rw|z|Z)$/.test(flag));
  if (target === undefined || source === "" || unknown !== undefined || options.length > 1) {
    diagnostics.error(
      "lab/bad-target",
      value.span,
      `"${text}" is no bind`,
      "SOURCE:TARGET, with :ro behind it when read-only",
    );
    return undefined;
  }
  return { source: { value: source, span: value.span }, target, readOnly: flags.includes("ro") };
}

/** `DESTINATION via ADDRESS [dev INTERFACE]`, or the same as keys. */
export function routes(field: YamlField | undefined, what: string): Placed<string>[] {
  if (field === undefined) return [];
  const values = field.value.kind === "list" ? field.value.list(what) : [field.value];
  return values.flatMap((value) => {
    if (value.kind !== "map") return placed(value, what) ?? [];
    const { to, via, dev } = value.record(what, ["to", "via", "dev"]);
    const words = [to?.value.text("to") ?? ""];
    if (via !== undefined) words.push("via", via.value.text("via") ?? "");
    if (dev !== undefined) words.push("dev", dev.value.text("dev") ?? "");
    return { value: words.join(" "), span: value.span };
  });
}

/** `[[ADDRESS:]HOST:]NODE[/tcp]`; this machine's port is on 127.0.0.1 unless another address is written. */
export function port(value: YamlValue, what: string, diagnostics: Diagnostics): DraftNode["ports"][number] | undefined {
  const text = value.text(what);
  if (text === undefined) return undefined;
  const [numbers = "", protocol = "tcp"] = text.split("/");
  const parts = numbers.startsWith("[")
    ? [numbers.slice(1).split("]")[0] ?? "", ...(numbers.split("]:")[1]?.split(":") ?? [])]
    : numbers.split(":");
  const node = parts.pop() ?? "";
  const host = parts.pop();
  if (protocol !== "tcp" || host === undefined) {
    const why = host === undefined ? "names no port of this machine" : `is not for TCP`;
    diagnostics.warning("lab/not-published", value.span, `"${text}" ${why}: not published`, "for example 8080:80");
    return undefined;
  }
  return { span: value.span, address: parts.join(":") || "127.0.0.1", host, node };
}
