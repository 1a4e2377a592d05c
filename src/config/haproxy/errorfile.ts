/** `errorfile CODE FILE`: a whole raw response (HAProxy 2.6 configuration.txt §4.2). */

import type { KeywordReader } from "./draft.ts";
import { shortened } from "./reading.ts";
import { nothingFrom, present } from "./statement.ts";

const CODES = "200 400 401 403 404 405 407 408 410 413 422 425 429 500 501 502 503 504".split(" ");
/** HAProxy's default buffer, into which the response must fit. */
const LARGEST_BYTES = 16_384;

export const readErrorfile: KeywordReader = (statement, { settings }, { diagnostics, files }) => {
  if (!present(statement, 1, "a status code and a file", diagnostics)) return;
  if (!present(statement, 2, "a file", diagnostics) || !nothingFrom(statement, 3, diagnostics)) return;
  const code = statement.text(1);
  const written = statement.text(2);
  if (!CODES.includes(code)) {
    const message = `'${shortened(code)}' is not a status that has an error page`;
    diagnostics.error("haproxy/bad-value", statement.span(1), message, `use one of ${CODES.join(", ")}`);
    return;
  }
  const span = statement.span(2);
  const read = files.read(files.resolve(span.source.name, written));
  if (!read.ok) {
    diagnostics.error("haproxy/unreadable-file", span, `'${shortened(written)}' cannot be read: ${read.error}`);
    return;
  }
  if (read.value.length > LARGEST_BYTES) {
    const message = `'${shortened(written)}' holds ${read.value.length} bytes, and ${LARGEST_BYTES} are the most`;
    diagnostics.error("haproxy/bad-errorfile", span, message);
    return;
  }
  const text = new TextDecoder("latin1").decode(read.value);
  // An empty file is common practice: the connection is closed without an answer.
  if (text !== "" && !/^HTTP\/[0-9]\.[0-9] [0-9]{3}(?: [^\r\n]*)?\r?\n(?:[^\s:]+:[^\r\n]*\r?\n)*\r?\n/.test(text)) {
    const message = `'${shortened(written)}' is not a whole response`;
    const help = "begin with 'HTTP/1.0 503 Service Unavailable', then headers, an empty line and the page";
    diagnostics.error("haproxy/bad-errorfile", span, message, help);
    return;
  }
  settings.errorFiles = { ...settings.errorFiles, [code]: text };
};
