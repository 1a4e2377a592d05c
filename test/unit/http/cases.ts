/**
 * Reads the cases of test/conformance/http/*.md and says what a reader makes of an input. See that folder's README.md for
 * the form of a case.
 */

import { readdirSync, readFileSync } from "node:fs";
import type { RequestEvent, ResponseEvent } from "../../../src/http/event.ts";
import type { HeaderList } from "../../../src/http/headers.ts";
import type { Leniency, ReaderOptions } from "../../../src/http/limits.ts";
import { RequestReader } from "../../../src/http/request-reader.ts";
import { ResponseReader } from "../../../src/http/response-reader.ts";

export interface Case {
  readonly file: string;
  readonly title: string;
  readonly side: "request" | "response";
  readonly options: ReaderOptions;
  /** Methods of the requests that the responses answer, one each; the last one repeats. */
  readonly answered: readonly string[];
  readonly upgrade: boolean;
  /** The peer closes after the input. */
  readonly close: boolean;
  readonly input: Uint8Array;
  readonly expected: readonly string[];
}

export function readCases(folder: URL): Case[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".md") && name !== "README.md")
    .sort()
    .flatMap((name) => casesOf(name, readFileSync(new URL(name, folder), "utf8")));
}

function casesOf(file: string, text: string): Case[] {
  const cases: Case[] = [];
  for (const part of text.split(/^## /m).slice(1)) {
    const title = part.slice(0, part.indexOf("\n"));
    const input = /^```(request|response)([^\n]*)\n([\s\S]*?)^```$/m.exec(part);
    const events = /^```events\n([\s\S]*?)^```$/m.exec(part);
    const [, side, words = "", body = ""] = input ?? [];
    if ((side !== "request" && side !== "response") || events === null)
      throw new Error(`${file}: “${title}” is no case`);
    cases.push({
      file,
      title,
      side,
      ...wordsOf(words),
      input: octetsOf(body),
      expected: (events[1] ?? "").split("\n").filter((line) => line !== ""),
    });
  }
  return cases;
}

function wordsOf(words: string): Pick<Case, "options" | "answered" | "upgrade" | "close"> {
  const limits: Record<string, number> = {};
  const lenient: Partial<Record<keyof Leniency, boolean>> = {};
  let answered: string[] = ["GET"];
  for (const [, name = "", value = ""] of words.matchAll(/([A-Za-z]+)=([^\s]+)/g)) {
    if (name === "to") answered = value.split(",");
    else if (name === "lenient") for (const leniency of value.split(",")) lenient[leniency as keyof Leniency] = true;
    else limits[name] = Number(value);
  }
  return {
    options: { ...limits, lenient },
    answered,
    upgrade: /\bupgrade\b/.test(words),
    close: /\bclose\b/.test(words),
  };
}

/** Line ends of the document count for nothing; `\r \n \t \0 \\ \xHH` and `\{COUNT:TEXT}`. */
function octetsOf(body: string): Uint8Array {
  const names: Record<string, string> = { r: "\r", n: "\n", t: "\t", "0": "\0", "\\": "\\" };
  const text = body
    .replaceAll("\n", "")
    .replaceAll(/\\\{(\d+):([^}]*)\}/g, (_, count: string, repeated: string) => repeated.repeat(Number(count)))
    .replaceAll(/\\(x([0-9A-Fa-f]{2})|.)/g, (whole, name: string, hex: string | undefined) => {
      const found = hex === undefined ? names[name] : String.fromCharCode(Number.parseInt(hex, 16));
      if (found === undefined) throw new Error(`unknown escape ${whole}`);
      return found;
    });
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The events of an input that arrives in these parts, as the documents write them; neighbouring data is one line. */
export function eventsOf(
  parts: readonly Uint8Array[],
  { side, options, answered, upgrade, close }: Pick<Case, "side" | "options" | "answered" | "upgrade" | "close">,
): { readonly lines: string[]; readonly midMessage: boolean } {
  const request = side === "request" ? new RequestReader(options) : undefined;
  const response = side === "response" ? new ResponseReader(options) : undefined;
  const reader = request ?? response;
  if (reader === undefined) throw new Error("a reader");
  let replies = 0;
  const expectNext = () => {
    response?.expect({ method: answered[Math.min(replies++, answered.length - 1)] ?? "GET", upgrade });
  };
  if (answered[0] !== "nothing") expectNext();
  const lines: string[] = [];
  let data = "";
  const drain = (): boolean => {
    for (;;) {
      const event = reader.next();
      if (event.kind === "data") {
        for (const octet of event.bytes) data += String.fromCharCode(octet);
        continue;
      }
      if (event.kind === "need-data") return true;
      if (data !== "") lines.push(`data ${JSON.stringify(data)}`);
      data = "";
      lines.push(...linesOf(event));
      if (event.kind === "end") expectNext();
      if (event.kind === "problem" || event.kind === "closed") return false;
    }
  };
  for (const part of parts) {
    // A copy that is spoilt as soon as the reader has said that it needs more: it may keep nothing of what it was given.
    const lent = part.slice();
    reader.receive(lent);
    if (!drain()) return { lines, midMessage: false };
    lent.fill(0xaa);
  }
  if (close) {
    reader.receiveEnd();
    drain();
  }
  if (data !== "") lines.push(`data ${JSON.stringify(data)}`);
  return { lines, midMessage: reader.midMessage };
}

function linesOf(event: RequestEvent | ResponseEvent): string[] {
  switch (event.kind) {
    case "need-data":
    case "closed":
      return [event.kind];
    case "data":
      return [`data ${event.bytes.length}`];
    case "interim":
      return [
        `interim HTTP/${event.head.version} ${event.head.status} ${event.head.reason}`,
        ...fields(event.head.headers),
      ];
    case "head": {
      const { head, framing } = event;
      const body = framing.kind === "length" ? `length ${framing.bytes}` : framing.kind;
      const line =
        "method" in head
          ? `${head.method} ${head.target} HTTP/${head.version}`
          : `HTTP/${head.version} ${head.status} ${head.reason}`;
      return [`head ${line} → ${body}`, ...fields(head.headers)];
    }
    case "end":
      return ["end", ...(event.trailers === undefined ? [] : fields(event.trailers))];
    case "problem":
      return [`problem ${event.code} ${event.status} at ${event.offset}`];
    default:
      return event satisfies never;
  }
}

const fields = (headers: HeaderList): string[] =>
  [...headers].map(([name, value]) => `  ${name}: ${JSON.stringify(value).slice(1, -1)}`);
