/** The page of verdicts on VRRP configurations: read, written, and what evenkeel says of a case. */

import assert from "node:assert/strict";
import { load } from "../../src/config/load.ts";
import type { VrrpConfiguration } from "../../src/config/model/vrrp.ts";
import { memoryEnvironment } from "./memory-files.ts";

export interface VrrpVerdict {
  readonly name: string;
  readonly keepalived: "ok" | "warning" | "error" | "crash";
  readonly evenkeel: "ok" | "warning" | "error";
  /** Without `keepalived/`, notes left out. */
  readonly codes: readonly string[];
  /** Why evenkeel says or understands something else. */
  readonly differs: string | undefined;
  readonly text: string;
  /** keepalived's lines. */
  readonly said: readonly string[];
  /** What keepalived understood, without the usual lines; empty when it did not start. */
  readonly dump: readonly string[];
}

const CASE =
  /^(.*)\n\nkeepalived: (\w+)\. evenkeel: (\w+)(?: \(([^)]*)\))?\.(?: Differs: (.+)\.)?\n\n```keepalived\n([\s\S]*?)```\n(?:\n```said\n([\s\S]*?)```\n)?(?:\n```dump\n([\s\S]*?)```\n)?\n?$/;

export function verdictsIn(page: string): VrrpVerdict[] {
  return page
    .split(/^### /m)
    .slice(1)
    .map((part) => {
      const match = CASE.exec(part);
      assert.ok(match !== null, `case cannot be read: ${part.slice(0, 200)}`);
      const [, name = "", keepalived = "", evenkeel = "", codes = "", differs, text = "", said = "", dump = ""] = match;
      const lines = (block: string) => block.split("\n").slice(0, -1);
      return {
        name,
        keepalived: keepalived as VrrpVerdict["keepalived"],
        evenkeel: evenkeel as VrrpVerdict["evenkeel"],
        codes: codes === "" ? [] : codes.split(", ").map((code) => code.replaceAll("`", "")),
        differs,
        text,
        said: lines(said),
        dump: lines(dump),
      };
    });
}

export function verdictsPage(head: string, cases: readonly VrrpVerdict[]): string {
  const block = (language: string, lines: readonly string[]) =>
    lines.length === 0 ? "" : `\n\`\`\`${language}\n${lines.join("\n")}\n\`\`\`\n`;
  const parts = cases.map(({ name, keepalived, evenkeel, codes, differs, text, said, dump }) => {
    const named = codes.length === 0 ? "" : ` (${codes.map((code) => `\`${code}\``).join(", ")})`;
    const reason = differs === undefined ? "" : ` Differs: ${differs}.`;
    const verdict = `keepalived: ${keepalived}. evenkeel: ${evenkeel}${named}.${reason}`;
    return `### ${name}\n\n${verdict}\n\n\`\`\`keepalived\n${text}\`\`\`\n${block("said", said)}${block("dump", dump)}`;
  });
  return head + parts.join("\n");
}

/** Of evenkeel. `said`: `Line N: message` or the message alone, quotes left out. */
export function verdictOf(text: string): Pick<VrrpVerdict, "evenkeel" | "codes"> & {
  readonly messages: readonly string[];
  readonly vrrp: VrrpConfiguration | undefined;
} {
  const { configuration, diagnostics } = load(["/k"], memoryEnvironment({ "/k": text }));
  const serious = diagnostics.filter(({ severity }) => severity !== "note");
  const isError = serious.some(({ severity }) => severity === "error");
  const evenkeel = isError ? "error" : serious.length > 0 ? "warning" : "ok";
  const codes = [...new Set(serious.map(({ code }) => code.replace("keepalived/", "")))];
  return { evenkeel, codes, messages: diagnostics.map(({ message }) => message), vrrp: configuration.vrrp };
}
