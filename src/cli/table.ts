import { stripVTControlCharacters } from "node:util";

export interface TableOptions {
  readonly header?: readonly string[];
  /** by column; columns without one are aligned on the left */
  readonly align?: readonly ("left" | "right")[];
}

/** How many characters a text shows, without colours; wide East Asian characters count as one. */
const widthOf = (text: string): number => [...stripVTControlCharacters(text)].length;

/**
 * Rows of text as aligned columns, two spaces apart, without spaces at the ends of lines and without a final line break.
 * Short rows leave their last cells empty. A header is underlined with dashes.
 */
export function formatTable(rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const { header, align = [] } = options;
  const all = header ? [header, ...rows] : rows;
  const numColumns = Math.max(0, ...all.map((row) => row.length));
  const widths = Array.from({ length: numColumns }, (_, i) => Math.max(...all.map((row) => widthOf(row[i] ?? ""))));
  const formatRow = (row: readonly string[]): string =>
    widths
      .map((width, i) => {
        const cell = row[i] ?? "";
        const space = " ".repeat(width - widthOf(cell));
        return align[i] === "right" ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  const lines = rows.map(formatRow);
  if (header) lines.unshift(formatRow(header), widths.map((width) => "-".repeat(width)).join("  "));
  return lines.join("\n");
}
