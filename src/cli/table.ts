/** Aligned columns for people. Widths count characters, not bytes; cells hold no line ends. */

export interface Cell {
  readonly text: string;
  /** An SGR parameter such as `1;32`; used only when colour is on. */
  readonly colour?: string;
}

/** Lines without line ends; the first one is the header, in bold when `colour` is on. */
export function table(
  header: readonly string[],
  rows: readonly (readonly (string | Cell)[])[],
  colour: boolean,
): string[] {
  const cells = rows.map((row) => row.map((one) => (typeof one === "string" ? { text: one } : one)));
  const widths = header.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]?.text.length ?? 0)),
  );
  const line = (row: readonly Cell[]) =>
    row
      .map((cell, column) => {
        const padded = column === row.length - 1 ? cell.text : cell.text.padEnd(widths[column] ?? 0);
        return colour && cell.colour !== undefined ? `\x1b[${cell.colour}m${padded}\x1b[0m` : padded;
      })
      .join("  ")
      .trimEnd();
  return [line(header.map((text) => ({ text, colour: "1" }))), ...cells.map(line)];
}

/** `3d04h`, `2h05m`, `1m07s`, `42s`, as HAProxy's statistics page writes spans of time. */
export function span(totalSeconds: number): string {
  const whole = Math.max(0, Math.floor(totalSeconds));
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole >= 86_400) return `${Math.floor(whole / 86_400)}d${two(Math.floor((whole % 86_400) / 3600))}h`;
  if (whole >= 3_600) return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
  if (whole >= 60) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${whole}s`;
}
