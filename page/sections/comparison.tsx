import type { ComparisonReport, ReportData, StageComparison } from "../../src/report/report-data.js";
import { DataTable } from "../figure/table.js";
import { FlowPaths } from "../figures/flow-paths.js";
import { ModeBars } from "../figures/mode-bars.js";
import { QualityBySteps } from "../figures/quality-by-steps.js";
import { Routes } from "../figures/routes.js";
import { SuccessByLatency, SuccessBySteps, type SuccessRow } from "../figures/success-figures.js";
import { VelocityDeviations } from "../figures/velocity-deviation.js";
import { countOf, figure, figureInterval, percent, percentInterval, points } from "../format.js";

interface ComparisonProps {
  readonly report: ComparisonReport;
  /** tells the figures of several comparisons apart */
  readonly index: number;
  readonly scenes: ReportData["scenes"];
}

/** Everything of one `reflow compare`. */
export function ComparisonSection({ report: { name, comparison }, index, scenes }: ComparisonProps) {
  const { policies, settings, offline, closedLoop } = comparison;
  const id = (figureName: string): string => `${figureName}-${index + 1}`;
  const [teacher] = policies;
  const names = policies.map((policy) => policy.name);
  const deployed = offline?.rows.find(
    ({ policy, numSteps }) => policy === teacher!.name && numSteps === settings.deployedSteps,
  );
  const { dataset, environment } = settings;
  const scene = environment && scenes[environment.id];
  const rows = closedLoop?.rows ?? [];
  const successes = rows.flatMap(({ policy, numSteps, summary, latency }): SuccessRow[] =>
    summary.success ? [{ policy, numSteps, numEpisodes: summary.numEpisodes, success: summary.success, latency }] : [],
  );
  return (
    <section id={`comparison-${index + 1}`} aria-labelledby={`comparison-${index + 1}-title`}>
      <h2 id={`comparison-${index + 1}-title`}>Comparison: {name}</h2>
      <DataTable
        label="Compared policies"
        table={{
          columns: ["policy", "flow", "folder"],
          rows: policies.map(({ name: policy, round, isDistilled, folder }, i) => [
            `${policy}${i === 0 ? " (reference)" : ""}`,
            `${round}-RF${isDistilled ? ", distilled" : ""}`,
            folder,
          ]),
        }}
      />
      {offline && (
        <>
          <h3>Samples, from the same noises</h3>
          <QualityBySteps
            id={id("quality")}
            title="Quality against steps"
            policies={names}
            rows={offline.rows.map((row) => ({
              policy: row.policy,
              numSteps: row.numSteps,
              selfError: row.self.relativeError,
              teacherError: row.teacher.relativeError,
              noiseExplained: row.teacher.noiseExplained,
              noiseExplainedInterval: row.noiseExplainedInterval,
            }))}
            solverError={deployed?.self.relativeError}
            deployedSteps={settings.deployedSteps}
            chanceError={offline.otherNoise.relativeError}
            caption={
              dataset &&
              `${countOf(dataset.numObservations, "observation")} of ${countOf(dataset.episodes.length, "episode")}, ${countOf(dataset.numNoises, "noise")} each; whiskers are 95 % bootstrap intervals over observations.`
            }
          />
          <DataTable
            label="Agreement of samples"
            table={{
              columns: ["policy", "steps", "e_teach", "e_self", "noise explained (95 %)", "spread", "between modes"],
              rows: offline.rows.map((row) => [
                row.policy,
                row.numSteps,
                percent(row.teacher.relativeError),
                percent(row.self.relativeError),
                figureInterval(row.teacher.noiseExplained, row.noiseExplainedInterval),
                figure(row.teacher.spreadRatio),
                `${percent(row.modes.betweenModes)} (teacher ${percent(row.modes.referenceBetweenModes)})`,
              ]),
            }}
          />
          <h3>Shape of the flows</h3>
          <FlowPaths id={id("flow-paths")} flows={offline.flows} />
          <VelocityDeviations id={id("velocity-deviation")} policies={names} flows={offline.flows} />
        </>
      )}
      {rows.length > 0 && (
        <>
          <h3>Closed loop</h3>
          <div class="figures">
            <SuccessBySteps
              id={id("success-steps")}
              environment={environment?.id ?? "the world"}
              policies={names}
              rows={successes}
              isPaired
            />
            <SuccessByLatency
              id={id("success-latency")}
              environment={environment?.id ?? "the world"}
              policies={names}
              rows={successes}
            />
          </div>
          <DataTable
            label="Closed loop"
            table={{
              columns: [
                "policy",
                "steps",
                "success (95 %)",
                "n",
                "paired difference, points (95 %)",
                "p",
                "ways: distance (by chance)",
                "ms per chunk",
              ],
              rows: rows.map(({ policy, numSteps, status, summary, against, latency }) => [
                policy,
                numSteps,
                percentInterval(summary.success),
                `${summary.numEpisodes}${status === "partial" ? " (partial)" : ""}`,
                against
                  ? `${points(against.difference)}${against.differenceInterval ? ` (${points(against.differenceInterval.low)} to ${points(against.differenceInterval.high)})` : ""}`
                  : "reference",
                against ? figure(against.pValue) : null,
                against?.modeDistance
                  ? `${figure(against.modeDistance.totalVariation)} (${figure(against.modeDistance.byChance)})`
                  : null,
                figure(latency?.total.medianMs),
              ]),
            }}
          />
          <ModeBars id={id("modes")} comparison={comparison} scene={scene} />
          <Routes id={id("routes")} rows={rows} scene={scene} />
        </>
      )}
    </section>
  );
}

/** What a pipeline says of its stages. */
export function StageSection({ stages, index }: { readonly stages: StageComparison; readonly index: number }) {
  const { name, rows, policies, reference, numObservations, numNoises, numEpisodes, numReferenceSteps, isHeldOut } =
    stages;
  return (
    <section id={`stages-${index + 1}`} aria-labelledby={`stages-${index + 1}-title`}>
      <h2 id={`stages-${index + 1}-title`}>Stages: {name}</h2>
      <h3>Samples, from the same noises</h3>
      <QualityBySteps
        id={`stage-quality-${index + 1}`}
        title="Quality against steps"
        policies={policies.map((policy) => policy.name)}
        rows={rows.map(({ policy, numSteps, relativeError, noiseExplained }) => ({
          policy,
          numSteps,
          teacherError: relativeError,
          noiseExplained,
        }))}
        caption={`Against the flow of ${reference}, solved with ${numReferenceSteps} Euler steps: ${countOf(numObservations, "observation")} of ${countOf(numEpisodes, isHeldOut ? "held-out episode" : "episode")}${isHeldOut ? "" : " that were learnt from"}, ${countOf(numNoises, "noise")} each.`}
      />
      <DataTable
        label="Agreement of stages"
        table={{
          columns: ["policy", "flow", "steps", "error", "noise explained", "spread"],
          rows: rows.map(({ policy, numSteps, relativeError, noiseExplained, spreadRatio }) => {
            const { round, isDistilled } = policies.find((candidate) => candidate.name === policy) ?? {};
            return [
              policy,
              `${round ?? "?"}-RF${isDistilled ? ", distilled" : ""}`,
              numSteps,
              percent(relativeError),
              figure(noiseExplained),
              figure(spreadRatio),
            ];
          }),
        }}
      />
    </section>
  );
}
