import { realpathSync, type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { removeLeftovers, writeFileAtomically } from "../support/atomic-file.js";
import { CheckpointError, messageOf } from "../support/errors.js";
import { makeFolder } from "../support/make-folder.js";
import { collectReport } from "./collect-report.js";
import { embedClips } from "./embed-clips.js";
import { readPage, renderPage } from "./render-page.js";
import type { ReportData } from "./report-data.js";

/**
 * Writes one self-contained HTML file about folders of runs, pipelines, comparisons and evaluations. An older file is replaced as a
 * whole.
 *
 * @returns what was written
 * @throws CheckpointError as `collectReport`, and if the file cannot be written
 */
export async function writeReport(
  folders: readonly string[],
  file: string,
  { now, version }: { readonly now: Date; readonly version: string },
): Promise<ReportData> {
  const place = placeOf(file);
  const report = await collectReport(folders, { now, version, clipsFrom: embedClips });
  const html = renderPage(await readPage(), { report });
  try {
    await makeFolder(dirname(place));
    await removeLeftovers(place);
    await writeFileAtomically(place, html);
  } catch (error) {
    throw unwritable(file, error);
  }
  return report;
}

/**
 * Where a file is replaced: what a link names, not the link itself.
 *
 * @throws CheckpointError for what is no file, such as a folder or a device
 */
function placeOf(file: string): string {
  let found: Stats | undefined;
  try {
    found = statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw unwritable(file, error);
  }
  if (found === undefined) return file;
  if (found.isFile()) return realpathSync(file);
  const what = found.isDirectory() ? "a folder" : "no file";
  throw new CheckpointError(`report: expected a place for a file, got ${file}, which is ${what}`);
}

const unwritable = (file: string, error: unknown): CheckpointError =>
  new CheckpointError(`report: ${file} cannot be written (${messageOf(error)})`);
