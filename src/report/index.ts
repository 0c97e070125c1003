/** Runs, pipelines, comparisons and evaluations as one page. Nothing here needs libtorch. */
export { type CollectOptions, collectReport } from "./collect-report.js";
export { embedClips, type FoundClip } from "./embed-clips.js";
export { readPage, renderPage } from "./render-page.js";
export type { Conclusion, PageContent, ReportData } from "./report-data.js";
export { writeReport } from "./write-report.js";
