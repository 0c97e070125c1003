import { useEffect } from "preact/hooks";
import type { PageContent, ReportData } from "../src/report/report-data.js";
import { dateTime } from "./format.js";
import { Clips } from "./sections/clips.js";
import { ComparisonSection, StageSection } from "./sections/comparison.js";
import { Evaluations } from "./sections/evaluations.js";
import { Events } from "./sections/events.js";
import { Settings } from "./sections/settings.js";
import { Summary } from "./sections/summary.js";
import { Training } from "./sections/training.js";
import { ThemeButton } from "./theme-button.js";
import { useLiveReport } from "./use-live-report.js";

/** The whole page: what a report holds, each section only if there is something in it. */
export function App({ content }: { readonly content: PageContent }) {
  const { report, connection } = useLiveReport(content);
  const { runs, comparisons, stageComparisons, evaluations, clips } = report;
  const title = titleOf(report);
  useEffect(() => {
    document.title = `${title} – reflow report`;
  }, [title]);
  return (
    <>
      <a class="skip" href="#summary">
        Skip to the summary
      </a>
      <header>
        <div>
          <p class="kicker">Reflow report</p>
          <h1>{title}</h1>
          <p class="quiet">
            {dateTime(report.created)}, reflow-vla {report.version}
          </p>
        </div>
        <div class="header-tools">
          {connection && (
            <span class={`live ${connection}`} role="status">
              {connection === "live" ? "Live" : "Connection lost, trying again"}
            </span>
          )}
          <ThemeButton />
        </div>
      </header>
      <nav aria-label="Sections">
        {sectionsOf(report).map(([id, label]) => (
          <a key={id} href={`#${id}`}>
            {label}
          </a>
        ))}
      </nav>
      <main>
        <Summary report={report} />
        {comparisons.map((comparison, i) => (
          <ComparisonSection key={comparison.folder} report={comparison} index={i} scenes={report.scenes} />
        ))}
        {stageComparisons.map((stages, i) => (
          <StageSection key={stages.folder} stages={stages} index={i} />
        ))}
        {evaluations.length > 0 && <Evaluations evaluations={evaluations} />}
        {clips.clips.length + clips.leftOut.length > 0 && <Clips clips={clips} />}
        {runs.length > 0 && <Training runs={runs} />}
        {runs.length > 0 && <Events runs={runs} />}
        <Settings report={report} />
      </main>
    </>
  );
}

function titleOf({ runs, comparisons, stageComparisons, evaluations }: ReportData): string {
  const names = [...comparisons, ...stageComparisons, ...runs, ...evaluations].map(({ name }) => name);
  const distinct = [...new Set(names)];
  return distinct.length > 3
    ? `${distinct.slice(0, 3).join(", ")} and ${distinct.length - 3} more`
    : distinct.join(", ");
}

function sectionsOf(report: ReportData): readonly (readonly [id: string, label: string])[] {
  const { runs, comparisons, stageComparisons, evaluations, clips } = report;
  const many = (count: number, i: number): string => (count > 1 ? ` ${i + 1}` : "");
  return [
    ["summary", "What to believe"],
    ...comparisons.map((_, i) => [`comparison-${i + 1}`, `Comparison${many(comparisons.length, i)}`] as const),
    ...stageComparisons.map((_, i) => [`stages-${i + 1}`, `Stages${many(stageComparisons.length, i)}`] as const),
    ...(evaluations.length > 0 ? [["evaluations", "Evaluations"] as const] : []),
    ...(clips.clips.length + clips.leftOut.length > 0 ? [["clips", "Clips"] as const] : []),
    ...(runs.length > 0 ? [["training", "Training"] as const, ["events", "Events"] as const] : []),
    ["settings", "Settings"],
  ];
}
