import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { removeLeftovers, writeFileAtomically } from "../support/atomic-file.js";
import { CheckpointError, messageOf } from "../support/errors.js";
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
  const report = await collectReport(folders, { now, version, clipsFrom: embedClips });
  const html = renderPage(await readPage(), { report });
  try {
    await mkdir(dirname(file), { recursive: true });
    await removeLeftovers(file);
    await writeFileAtomically(file, html);
  } catch (error) {
    throw new CheckpointError(`report: ${file} cannot be written (${messageOf(error)})`);
  }
  return report;
}
