import { existsSync } from "node:fs";
import { join } from "node:path";
import type { PushRequest } from "../policy/push-policy.js";
import { readRecords } from "../records/read-records.js";
import { type Metrics, RECORDS_FILE } from "../records/run-event.js";
import type { TrainConfig } from "../train/config.js";
import { agreementRows } from "../train/held-out.js";

type Card = NonNullable<PushRequest["card"]>;

/**
 * What a run has to say in its policy's model card: dataset, start, recipe, and how well policy and teacher were found to
 * agree.
 *
 * @param numSteps steps done by the policy; later measurements are not its own
 */
export async function cardOfRun(config: TrainConfig, numSteps: number): Promise<Card> {
  const { dataset, policy, heldOut, batchSize, steps, optimizer, precision } = config;
  const measured = await measurements(config.outputDir, numSteps);
  const last = measured.at(-1);
  // Before the first step a copy of the teacher still is its teacher; any other student is not.
  const isCopy =
    policy.useReflow && policy.studentInit === "teacher" && (policy.path ?? policy.pretrainedPath) === undefined;
  const first = isCopy ? measured.find(({ step }) => step === 0) : undefined;
  return {
    dataset: { repoId: dataset.repoId },
    baseModel: policy.teacherModelPath ?? policy.path,
    recipe: { steps, batch_size: batchSize, ...(optimizer ? { learning_rate: optimizer.lr } : {}), precision },
    agreement: last && {
      reference: policy.useReflow ? "the teacher" : "the policy itself",
      numReferenceSteps: heldOut.referenceSteps,
      numObservations: heldOut.numObservations,
      numNoises: heldOut.numNoises,
      rows: [...(first ? rowsOf("teacher", first.metrics) : []), ...rowsOf("this policy", last.metrics)],
    },
  };
}

async function measurements(runFolder: string, numSteps: number) {
  const path = join(runFolder, RECORDS_FILE);
  if (!existsSync(path)) return [];
  const { records } = await readRecords(path);
  return records.flatMap((record) =>
    record.event === "evaluation" && record.step <= numSteps ? [{ step: record.step, metrics: record.metrics }] : [],
  );
}

/** Recorded metrics have `eval/` before their names. */
const rowsOf = (name: string, metrics: Metrics) => {
  const own = Object.entries(metrics).map(([metric, value]) => [metric.replace(/^eval\//, ""), value]);
  return agreementRows(Object.fromEntries(own)).map((row) => ({ name, ...row }));
};
