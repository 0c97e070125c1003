/** A part of a text and what takes its place; `start` and `end` are positions in the old text. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

interface Change {
  /** old lines `from` to before `to`, from 0 */
  readonly from: number;
  readonly to: number;
  readonly lines: readonly string[];
}

const CONTEXT = 3;

const byPlace = (edits: readonly Edit[]): Edit[] => [...edits].sort((a, b) => a.start - b.start);

/** The text with all edits made, which must not overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let done = 0;
  const parts = byPlace(edits).map((edit) => {
    const part = text.slice(done, edit.start) + edit.text;
    done = edit.end;
    return part;
  });
  return parts.join("") + text.slice(done);
}

/** Lines with their ends. */
const linesOf = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** Which lines change, from the edits alone: neighbouring edits together, without lines that stay at either side. */
function changesOf(text: string, edits: readonly Edit[]): Change[] {
  const lines = linesOf(text);
  const starts: number[] = [];
  let position = 0;
  for (const line of lines) {
    starts.push(position);
    position += line.length;
  }
  const lineAt = (place: number): number => starts.filter((start) => start <= place).length - 1;
  const blocks: { from: number; to: number; edits: Edit[] }[] = [];
  for (const edit of byPlace(edits)) {
    const [from, to] = [lineAt(edit.start), lineAt(edit.end) + 1];
    const last = blocks.at(-1);
    if (last && from < last.to) {
      last.to = Math.max(last.to, to);
      last.edits.push(edit);
    } else blocks.push({ from, to, edits: [edit] });
  }
  return blocks.flatMap(({ from, to, edits: inside }) => {
    const offset = starts[from]!;
    const moved = inside.map((edit) => ({ ...edit, start: edit.start - offset, end: edit.end - offset }));
    const old = lines.slice(from, to);
    const now = linesOf(applyEdits(old.join(""), moved));
    let [before, after] = [0, 0];
    while (before < Math.min(old.length, now.length) && old[before] === now[before]) before++;
    while (after < Math.min(old.length, now.length) - before && old.at(-1 - after) === now.at(-1 - after)) after++;
    const change = { from: from + before, to: to - after, lines: now.slice(before, now.length - after) };
    return change.from === change.to && change.lines.length === 0 ? [] : [change];
  });
}

const marked = (mark: string, lines: readonly string[]): string =>
  lines.map((line) => (line.endsWith("\n") ? mark + line : `${mark}${line}\n\\ No newline at end of file\n`)).join("");

/** `first,count` of a hunk's head; an empty range is named by the line before it. */
const range = (from: number, count: number): string =>
  `${count === 0 ? from : from + 1}${count === 1 ? "" : `,${count}`}`;

/** The edits of a text as a unified diff, as `diff -u` shows it and `patch` takes it; empty if nothing changes. */
export function unifiedDiff(text: string, edits: readonly Edit[], name: string): string {
  const lines = linesOf(text);
  const groups: Change[][] = [];
  for (const change of changesOf(text, edits)) {
    const last = groups.at(-1)?.at(-1);
    if (last && change.from - last.to <= 2 * CONTEXT) groups.at(-1)!.push(change);
    else groups.push([change]);
  }
  let shift = 0;
  const hunks = groups.map((group) => {
    const from = Math.max(0, group[0]!.from - CONTEXT);
    const to = Math.min(lines.length, group.at(-1)!.to + CONTEXT);
    let body = "";
    let at = from;
    let grown = 0;
    for (const change of group) {
      body += marked(" ", lines.slice(at, change.from));
      body += marked("-", lines.slice(change.from, change.to)) + marked("+", change.lines);
      grown += change.lines.length - (change.to - change.from);
      at = change.to;
    }
    body += marked(" ", lines.slice(at, to));
    const head = `@@ -${range(from, to - from)} +${range(from + shift, to - from + grown)} @@\n`;
    shift += grown;
    return head + body;
  });
  return hunks.length === 0 ? "" : `--- ${name}\n+++ ${name}\n${hunks.join("")}`;
}
