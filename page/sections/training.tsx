import { useState } from "preact/hooks";
import type { RunReport } from "../../src/report/report-data.js";
import { Choice } from "../figure/choice.js";
import { DataTable } from "../figure/table.js";
import { AgreementCurves } from "../figures/agreement-curves.js";
import { LossByTimeMap } from "../figures/loss-by-time.js";
import { RunCurves } from "../figures/run-curves.js";
import { dateTime, figure } from "../format.js";

/** Whether a run has anything that only one run at a time can show. */
const hasDetails = ({ series, lossByTime }: RunReport): boolean =>
  lossByTime !== undefined || Object.keys(series).some((name) => name.startsWith("eval/"));

/** Training runs: where they are, their curves, and details of one of them. */
export function Training({ runs }: { readonly runs: readonly RunReport[] }) {
  const detailed = runs.filter(hasDetails);
  const [chosen, setChosen] = useState<string | undefined>(undefined);
  const run = detailed.find(({ name }) => name === chosen) ?? detailed.at(-1);
  return (
    <section id="training" aria-labelledby="training-title">
      <h2 id="training-title">Training</h2>
      <DataTable
        label="Training runs"
        table={{
          columns: ["run", "objective", "state", "step", "last loss", "last record"],
          rows: runs.map(({ name, objective, state, step, numSteps, series, lastRecord }) => [
            name,
            state === "not begun" ? null : objective,
            state,
            `${step}${numSteps === undefined ? "" : ` of ${numSteps}`}`,
            figure(series["train/loss"]?.values.at(-1)),
            lastRecord === undefined ? null : dateTime(lastRecord),
          ]),
        }}
      />
      <h3>Curves</h3>
      <div class="figures">
        <RunCurves
          runs={runs}
          metric="train/loss"
          id="loss"
          title="Loss"
          caption="Mean since the record before. Losses of different objectives do not compare, and a small loss is no proof of a good policy. Dashed upright lines: the health watch spoke."
        />
        <RunCurves
          runs={runs}
          metric="train/lr"
          id="learning-rate"
          title="Learning rate"
          caption="As it was used, with all schedules and reductions."
        />
        <RunCurves
          runs={runs}
          metric="train/grad_norm"
          id="gradient-norm"
          title="Gradient norm"
          caption="Before clipping."
        />
      </div>
      {run && (
        <>
          <h3>Details of {run.name}</h3>
          {detailed.length > 1 && (
            <Choice label="Run" options={detailed.map(({ name }) => name)} value={run.name} onChange={setChosen} />
          )}
          <AgreementCurves run={run} />
          <LossByTimeMap run={run} />
        </>
      )}
    </section>
  );
}
