/** haproxy.cfg written in a test. */

import assert from "node:assert/strict";
import { type HaproxyContext, type LoadedHaproxy, loadHaproxy } from "../../src/config/haproxy/load.ts";
import type { ProxyConfiguration } from "../../src/config/model/proxy.ts";
import { Source } from "../../src/config/text/source.ts";
import { type MemoryFiles, memoryFiles } from "./memory-files.ts";

export const TIMEOUTS = "defaults\n  timeout client 1s\n  timeout connect 1s\n  timeout server 1s\n";

/** Each text is a file: `/haproxy.cfg`, then `/2.cfg` and so on. */
export function loadTexts(
  texts: string | readonly string[],
  { files = {}, ...more }: Partial<Omit<HaproxyContext, "files">> & { readonly files?: MemoryFiles } = {},
): LoadedHaproxy {
  const sources = [texts]
    .flat()
    .map((text, index) => new Source(index === 0 ? "/haproxy.cfg" : `/${index + 1}.cfg`, text));
  return loadHaproxy(sources, { files: memoryFiles(files), environment: {}, hostname: "lb1", ...more });
}

/** The model of a configuration that there is nothing serious to say about. */
export function modelOf(
  texts: string | readonly string[],
  more: Parameters<typeof loadTexts>[1] = {},
): ProxyConfiguration {
  const { model, diagnostics } = loadTexts(texts, more);
  assert.deepEqual(seriousOf({ model, diagnostics }), []);
  assert.ok(model !== undefined);
  return model;
}

/** `LINE:COLUMN code: marked text`, without notes. */
export function seriousOf({ diagnostics }: LoadedHaproxy): string[] {
  return diagnostics.list.filter(({ severity }) => severity !== "note").map(describe);
}

export const notesOf = ({ diagnostics }: LoadedHaproxy): string[] =>
  diagnostics.list.filter(({ severity }) => severity === "note").map(describe);

function describe({ severity, code, span }: LoadedHaproxy["diagnostics"]["list"][number]): string {
  const { line, column } = span.source.positionOf(span.start);
  return `${line}:${column} ${severity} ${code}: ${span.source.text.slice(span.start, span.end)}`;
}
