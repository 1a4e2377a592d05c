/** Enough of XML 1.0 to tell a well-formed document: tags that match, attributes quoted and once each, entities known. */

import assert from "node:assert/strict";

/** Names of the elements in document order. Throws an assertion that names the place. */
export function wellFormed(text: string): string[] {
  const token = /<\?xml [^?]*\?>|<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  const names: string[] = [];
  const open: string[] = [];
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const match = token.exec(text);
    assert.ok(match !== null, `not XML at ${text.slice(at, at + 60)}`);
    const [, closing, name, attributes = "", empty, content] = match;
    for (const one of [attributes, content ?? ""]) {
      assert.doesNotMatch(one, /&(?!(amp|lt|gt|quot|apos|#[0-9]+);)/, "an ampersand is escaped");
    }
    if (content !== undefined) assert.ok(open.length > 0 || content.trim() === "", "text is inside the root");
    if (name === undefined) continue;
    if (closing === "/") {
      assert.equal(open.pop(), name);
      continue;
    }
    const keys = [...attributes.matchAll(/([\w:-]+)=/g)].map(([, key]) => key);
    assert.equal(new Set(keys).size, keys.length, `${name} has an attribute twice`);
    assert.ok(open.length > 0 || names.length === 0, "there is one root");
    names.push(name);
    if (empty !== "/") open.push(name);
  }
  assert.deepEqual(open, []);
  return names;
}
