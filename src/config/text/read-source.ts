/** A file's bytes as a `Source`, or a diagnostic: unreadable and binary files end here, once, for every language. */

import type { Diagnostics } from "./diagnostic.ts";
import type { ConfigurationFiles } from "./files.ts";
import { Source } from "./source.ts";

/** Larger than any configuration that people or templates write. */
const MAX_BYTES = 32 * 1024 * 1024;

/** UTF-8, with U+FFFD for what is not. Undefined when the file is no text; `unreadable` gets the reason when it cannot be read. */
export function readSource(
  path: string,
  files: ConfigurationFiles,
  diagnostics: Diagnostics,
  unreadable: (reason: string) => void,
): Source | undefined {
  const read = files.read(path);
  if (!read.ok) {
    unreadable(read.error);
    return undefined;
  }
  const bytes = read.value;
  const start = { source: new Source(path, ""), start: 0, end: 0 };
  if (bytes.length > MAX_BYTES) {
    diagnostics.error("config/too-large", start, `File has ${bytes.length} bytes; at most ${MAX_BYTES} are read`);
    return undefined;
  }
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    const help = "A configuration is UTF-8 text; UTF-16 files and programs hold NUL bytes";
    diagnostics.error("config/binary", start, `File is not text: byte ${nul} is NUL`, help);
    return undefined;
  }
  const source = new Source(path, new TextDecoder().decode(bytes));
  if (isMostlyNoise(source.text)) {
    diagnostics.error("config/binary", start, "File is not text", "A configuration is UTF-8 text");
    return undefined;
  }
  const bad = source.text.indexOf("\ufffd");
  if (bad >= 0) {
    const span = { source, start: bad, end: bad + 1 };
    diagnostics.note("config/not-utf8", span, "File is not UTF-8 throughout; what is not is read as U+FFFD");
  }
  return source;
}

/** A tenth of the beginning are control characters or no UTF-8. */
function isMostlyNoise(text: string): boolean {
  const beginning = text.slice(0, 4_096);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is counted
  const noise = beginning.match(/[\u0001-\u0008\u000e-\u001f\ufffd]/g)?.length ?? 0;
  return noise * 10 > beginning.length;
}
