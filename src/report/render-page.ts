import { readFile } from "node:fs/promises";
import { CheckpointError, messageOf } from "../support/errors.js";
import type { PageContent } from "./report-data.js";

/** The built page. Source and build of this file both lie two folders below the package. */
const PAGE = new URL("../../dist/report/page.html", import.meta.url);

/** Stands in the page where its content goes. */
const PLACE = '"__REFLOW_REPORT_CONTENT__"';

/** @throws CheckpointError if the page was not built */
export async function readPage(): Promise<string> {
  try {
    return await readFile(PAGE, "utf8");
  } catch (error) {
    throw new CheckpointError(
      `report: expected the built page in ${PAGE.pathname}, got none (${messageOf(error)}). Run npm run build`,
    );
  }
}

/** The page with its content: one HTML file that needs nothing else. */
export function renderPage(page: string, content: PageContent): string {
  const at = page.indexOf(PLACE);
  if (at < 0) throw new CheckpointError(`report: ${PAGE.pathname} has no place for content. Run npm run build`);
  return page.slice(0, at) + jsonForScript(content) + page.slice(at + PLACE.length);
}

/**
 * JSON that can stand in a `<script>`: nothing in it can end the element or open a comment, and it holds no line separators that
 * are no part of JavaScript's strings. It reads back as the same value.
 */
export const jsonForScript = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
