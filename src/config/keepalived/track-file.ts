/** `track_file NAME { … }` (keepalived.conf(5), "Tracker files"). It has to stand above its use. */

import type { TrackFile } from "../model/virtual-server.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import { integer } from "./values.ts";
import { walk } from "./walk.ts";

const GREATEST_WEIGHT = 254;

export class KnownTrackFiles {
  readonly #files = new Map<string, TrackFile>();
  readonly #used = new Set<string>();
  readonly #usedByVrrp = new Set<string>();

  /** Those that a FILE_CHECK names. */
  get used(): readonly TrackFile[] {
    return [...this.#files.values()].filter(({ name }) => this.#used.has(name));
  }

  /** Those that an instance or a sync group tracks. */
  get usedByVrrp(): readonly TrackFile[] {
    return [...this.#files.values()].filter(({ name }) => this.#usedByVrrp.has(name));
  }

  /** Undefined when none of that name stands above. */
  forVrrp(name: string): TrackFile | undefined {
    const file = this.#files.get(name);
    if (file !== undefined) this.#usedByVrrp.add(name);
    return file;
  }

  define(statement: Statement, report: Report): void {
    const [name] = statement.words;
    if (name === undefined) return;
    if (this.#files.has(name.text)) {
      const message = `track_file ${quote(name.text)} already defined`;
      report.warning("keepalived/already-defined", name, message, "This block is skipped: give it a name of its own");
      return;
    }
    const file = readTrackFile(statement, name, report);
    if (file !== undefined) this.#files.set(file.name, file);
  }

  /** Undefined and a warning when none of that name stands above. */
  find(name: Word, report: Report): TrackFile | undefined {
    const file = this.#files.get(name.text);
    if (file !== undefined) this.#used.add(name.text);
    else {
      const help = `Define it above: track_file ${name.text} { file … }`;
      report.warning("keepalived/unknown-track-file", name, `track_file ${quote(name.text)} not found`, help);
    }
    return file;
  }
}

function readTrackFile(statement: Statement, name: Word, report: Report): TrackFile | undefined {
  let file: string | undefined;
  let weight = 1;
  let reverse = false;
  let init: TrackFile["init"];
  walk(
    statement.block ?? [],
    "track_file",
    {
      file: ({ words: [word] }) => {
        file = word?.text;
      },
      weight: ({ words: [value, direction] }) => {
        weight = (value && integer(value, -GREATEST_WEIGHT, GREATEST_WEIGHT, report, "1")) ?? weight;
        reverse = direction?.text === "reverse";
      },
      init_file: ({ words }) => {
        init = initOf(words, report);
      },
    },
    report,
  );
  if (file !== undefined) return { name: name.text, file, weight, reverse, init };
  const message = `No file set for track_file ${quote(name.text)} - ignoring`;
  report.warning("keepalived/no-track-file", name, message, "Add file /path");
  return undefined;
}

function initOf(words: readonly Word[], report: Report): TrackFile["init"] {
  let value = 0;
  let overwrite = false;
  for (const word of words) {
    if (word.text === "overwrite") overwrite = true;
    else if (/^[+-]?[0-9]{1,9}$/.test(word.text)) value = Number(word.text);
    else {
      const message = `Unknown track file init option ${quote(word.text)}`;
      report.warning("keepalived/unknown-option", word, message, "Write init_file [VALUE] [overwrite]");
    }
  }
  return { value, overwrite };
}
