/** Lines of a file that nobody vouches for: of one that is too long only the beginning is kept. */

/** @param longest characters; what a line has beyond them is dropped */
export async function* boundedLines(chunks: AsyncIterable<string>, longest: number): AsyncGenerator<string> {
  let begun = "";
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf("\n"); end >= 0; end = chunk.indexOf("\n", from)) {
      yield begun + chunk.slice(from, Math.min(end, from + longest - begun.length));
      begun = "";
      from = end + 1;
    }
    begun += chunk.slice(from, from + longest - begun.length);
  }
  if (begun !== "") yield begun;
}
