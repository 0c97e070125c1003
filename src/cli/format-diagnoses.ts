/** The checklist of `reflow doctor`, for people and for machines. */
import { type Diagnosis, VERDICTS, type Verdict } from "../doctor/index.js";
import { formatTable } from "./table.js";

const TITLES: Readonly<Record<Verdict, string>> = {
  fault: "Faults",
  warning: "Warnings",
  ok: "Right",
  skipped: "Not looked at",
};

/** Lines of text under a heading for each verdict, the worst first. */
export function formatDiagnoses(diagnoses: readonly Diagnosis[]): string {
  const sections = VERDICTS.flatMap((verdict) => {
    const lines = diagnoses.filter((diagnosis) => diagnosis.verdict === verdict);
    if (lines.length === 0) return [];
    const body =
      verdict === "fault" || verdict === "warning"
        ? lines.map(formatFinding).join("\n\n")
        : formatTable(lines.map(({ id, evidence }) => [id, evidence]));
    return [`${TITLES[verdict]} (${lines.length})\n${body.replaceAll(/^(?=.)/gm, "  ")}`];
  });
  return sections.join("\n\n");
}

function formatFinding({ id, title, evidence, remedy }: Diagnosis): string {
  const rows = [["expected", title], ["found", evidence], ...(remedy === undefined ? [] : [["remedy", remedy]])];
  return `${id}\n${formatTable(rows).replaceAll(/^/gm, "  ")}`;
}

/** The same as plain data. */
export const diagnosesJson = (diagnoses: readonly Diagnosis[]): unknown => ({
  healthy: !diagnoses.some(({ verdict }) => verdict === "fault"),
  counts: Object.fromEntries(
    VERDICTS.map((verdict) => [verdict, diagnoses.filter((diagnosis) => diagnosis.verdict === verdict).length]),
  ),
  checks: diagnoses.map(({ id, title, verdict, evidence, remedy }) => ({
    id,
    title,
    verdict,
    evidence,
    remedy: remedy ?? null,
  })),
});
