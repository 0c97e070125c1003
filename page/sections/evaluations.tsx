import { Fragment } from "preact";
import type { EvaluationReport } from "../../src/report/report-data.js";
import { DataTable } from "../figure/table.js";
import { SuccessByLatency, SuccessBySteps, type SuccessRow } from "../figures/success-figures.js";
import { figure, percentInterval } from "../format.js";

/** Policies that were evaluated each on its own. */
export function Evaluations({ evaluations }: { readonly evaluations: readonly EvaluationReport[] }) {
  const names = evaluations.map(({ name }) => name);
  const environments = [...new Set(evaluations.map(({ environment }) => environment))];
  return (
    <section id="evaluations" aria-labelledby="evaluations-title">
      <h2 id="evaluations-title">Evaluations</h2>
      <DataTable
        label="All evaluations"
        table={{
          columns: ["evaluation", "world", "steps", "success (95 %)", "n", "ms per chunk"],
          rows: evaluations.map(({ name, environment, numSteps, success, numEpisodes, status, latency }) => [
            name,
            environment,
            numSteps ?? null,
            percentInterval(success),
            `${numEpisodes}${status === "partial" ? " (partial)" : ""}`,
            figure(latency?.total.medianMs),
          ]),
        }}
      />
      {environments.map((environment, i) => {
        const rows = evaluations.flatMap((evaluation): SuccessRow[] => {
          const { success, numSteps, numEpisodes, latency } = evaluation;
          if (evaluation.environment !== environment || success === undefined) return [];
          return [{ policy: evaluation.name, numSteps, numEpisodes, success, latency }];
        });
        const drawn = [rows.filter((row) => row.numSteps !== undefined), rows.filter((row) => row.latency)];
        if (drawn.every((some) => some.length < 2)) return null;
        return (
          <Fragment key={environment}>
            <h3>{environment}</h3>
            <div class="figures">
              <SuccessBySteps
                id={`evaluated-steps-${i + 1}`}
                environment={environment}
                policies={names}
                rows={rows}
                isPaired={false}
              />
              <SuccessByLatency
                id={`evaluated-latency-${i + 1}`}
                environment={environment}
                policies={names}
                rows={rows}
              />
            </div>
          </Fragment>
        );
      })}
    </section>
  );
}
