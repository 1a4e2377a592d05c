/** Aligned columns for people. Widths count characters, not bytes; cells hold no line ends. */

export interface Cell {
  readonly text: string;
  /** An SGR parameter such as `1;32`; used only when colour is on. */
  readonly colour?: string;
}

export interface Column {
  readonly title: string;
  /** On a terminal that is too narrow the column with the highest number is left out first; those without one stay. */
  readonly leaveOut?: number;
}

export interface Paper {
  readonly colour: boolean;
  /** Characters in a line; undefined: as many as it takes. */
  readonly width: number | undefined;
}

const GAP = "  ";

/** Lines without line ends; the first one is the header, in bold when `colour` is on. The last column is cut if it must be. */
export function table(
  header: readonly (string | Column)[],
  rows: readonly (readonly (string | Cell)[])[],
  { colour, width }: Paper,
): string[] {
  const columns = header.map((one, index) => {
    const { title, leaveOut } = typeof one === "string" ? { title: one } : one;
    const cells = rows.map((row) => cellOf(row[index]));
    const longest = Math.max(title.length, ...cells.map(({ text }) => text.length));
    return { cells: [{ text: title, colour: "1" }, ...cells], longest, leaveOut };
  });
  const widthOf = () => columns.reduce((sum, { longest }) => sum + longest, GAP.length * (columns.length - 1));
  while (width !== undefined && widthOf() > width) {
    const rank = Math.max(...columns.map(({ leaveOut }) => leaveOut ?? 0));
    if (rank === 0) break;
    columns.splice(
      columns.findLastIndex(({ leaveOut }) => leaveOut === rank),
      1,
    );
  }
  const last = columns.at(-1);
  const room = width === undefined || last === undefined ? undefined : width - (widthOf() - last.longest);
  return [...rows.keys(), rows.length].map((line) =>
    columns
      .map(({ cells, longest }, index) => {
        const cell = cellOf(cells[line]);
        const text = index < columns.length - 1 ? cell.text.padEnd(longest) : shortened(cell.text, room);
        return colour && cell.colour !== undefined ? `\x1b[${cell.colour}m${text}\x1b[0m` : text;
      })
      .join(GAP)
      .trimEnd(),
  );
}

const cellOf = (cell: string | Cell | undefined): Cell => (typeof cell === "object" ? cell : { text: cell ?? "" });

/** Never less than a few characters: a line that is too long is better than a column without anything in it. */
function shortened(text: string, room: number | undefined): string {
  const most = Math.max(8, room ?? text.length);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
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
