/** `errorfile CODE FILE`: a whole raw response (HAProxy 2.6 configuration.txt §4.2). */

import { fail, ok, type Result } from "../../base/result.ts";
import type { ConfigurationFiles } from "../text/files.ts";
import type { KeywordReader } from "./draft.ts";
import { type Problem, shortened } from "./reading.ts";
import { nothingFrom, present } from "./statement.ts";

const CODES = "200 400 401 403 404 405 407 408 410 413 422 425 429 500 501 502 503 504".split(" ");
/** HAProxy's default buffer, into which the response must fit. */
const LARGEST_BYTES = 16_384;
const RESPONSE_HEAD = /^HTTP\/[0-9]\.[0-9] [0-9]{3}(?: [^\r\n]*)?\r?\n(?:[^\s:]+:[^\r\n]*\r?\n)*\r?\n/;

export const readErrorfile: KeywordReader = (statement, { settings }, { diagnostics, files, errorPages }) => {
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
  const path = files.resolve(span.source.name, written);
  const page = errorPages.get(path) ?? readPage(path, shortened(written), files);
  errorPages.set(path, page);
  if (page.ok) settings.errorFiles = { ...settings.errorFiles, [code]: page.value };
  else diagnostics.error(page.error.code, span, page.error.message, page.error.help);
};

function readPage(path: string, name: string, files: ConfigurationFiles): Result<string, Problem> {
  const read = files.read(path);
  if (!read.ok) return fail({ code: "haproxy/unreadable-file", message: `'${name}' cannot be read: ${read.error}` });
  const code = "haproxy/bad-errorfile";
  if (read.value.length > LARGEST_BYTES)
    return fail({ code, message: `'${name}' holds ${read.value.length} bytes, and ${LARGEST_BYTES} are the most` });
  const text = Array.from(read.value, (byte) => String.fromCharCode(byte)).join("");
  // An empty file is common practice: the connection is closed without an answer.
  if (text === "" || RESPONSE_HEAD.test(text)) return ok(text);
  const help = "begin with 'HTTP/1.0 503 Service Unavailable', then headers, an empty line and the page";
  return fail({ code, message: `'${name}' is not a whole response`, help });
}
