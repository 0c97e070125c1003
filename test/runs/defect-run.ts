/** Students of the fixture's teacher, trained with any coupling by a plain loop, and measured as they would be deployed. */
import { onTestFinished } from "vitest";
import { LeRobotDataset } from "../../src/data/index.js";
import { l2 } from "../../src/flow/index.js";
import { AdamW } from "../../src/optim/index.js";
import { toModelInput } from "../../src/policy/model-input.js";
import type { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { isTrainable } from "../../src/smolvla/trainable.js";
import type { HostArray } from "../../src/support/host-array.js";
import { backward, Generator, ones, scope, setNumThreads, type Tensor } from "../../src/torch/index.js";
import { BatchSource } from "../../src/train/batch-source.js";
import type { Coupling } from "../../src/train/couplings/coupling.js";
import { AgreementProbe, sampleObservations } from "../../src/train/held-out.js";
import type { TrainingBatch } from "../../src/train/objectives/objective.js";
import { VelocityMatching, type VelocityMatchingOptions } from "../../src/train/objectives/velocity-matching.js";
import { updateParameters } from "../../src/train/update-parameters.js";
import { DATASET } from "./training-run.js";

export interface TrainedStudent {
  readonly student: SmolVLAPolicy;
  readonly losses: readonly number[];
  /** gradients of the first step, by our names of the parameters */
  readonly firstGradients: ReadonlyMap<string, HostArray>;
}

/**
 * A copy of the teacher that has followed a coupling for some steps, always with the same batches, at time 1 with the mean
 * square unless `changes` say otherwise.
 */
export async function trainStudent(
  teacher: SmolVLAPolicy,
  coupling: Coupling,
  numSteps: number,
  learningRate = 1e-3,
  changes: Partial<Pick<VelocityMatchingOptions, "times" | "loss">> = {},
): Promise<TrainedStudent> {
  setNumThreads(1);
  const { config } = teacher;
  const student = teacher.with({ model: teacher.model.withCopiedExpert(config) });
  const parameters = new Map<string, Tensor>();
  for (const [name, parameter] of student.model.namedParameters()) {
    parameter.requiresGrad = isTrainable(name, config);
    if (parameter.requiresGrad) parameters.set(name, parameter);
  }
  const optimizer = new AdamW(parameters, { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 });
  onTestFinished(() => optimizer.dispose());
  const objective = new VelocityMatching({
    name: "reflow",
    model: student.model,
    device: "cpu",
    coupling,
    times: (numSamples) => ones([numSamples], "float32"),
    loss: { distance: l2 },
    hasFrozenContext: true,
    ...changes,
  });
  const source = await BatchSource.open({
    dataset: { root: DATASET, chunkSize: config.chunkSize },
    preprocessor: teacher.processors.preprocessor,
    tokenizerFolder: teacher.tokenizerFolder,
    batchSize: 4,
    seed: 1,
  });
  const losses: number[] = [];
  const firstGradients = new Map<string, HostArray>();
  for (let step = 0; step < numSteps; step++) {
    const { arrays, tasks } = await source.batch(step);
    scope(() => {
      const batch: TrainingBatch = { input: toModelInput(arrays, config, "cpu"), arrays, tasks, number: step, step };
      using generator = new Generator(step);
      const { loss } = objective.loss(batch, generator);
      backward(loss);
      if (step === 0) for (const [name, { grad }] of parameters) if (grad) firstGradients.set(name, grad.toHost());
      losses.push(loss.item());
      updateParameters(
        { parameters: [...parameters.values()], optimizer, maxGradNorm: 10 },
        losses.at(-1)!,
        learningRate,
        step,
      );
    });
  }
  await source.close();
  return { student, losses, firstGradients };
}

/** What measures policies against the teacher's converged flow, on equal noises in the full width, as robots are run. */
export async function openTeacherProbe(teacher: SmolVLAPolicy): Promise<AgreementProbe> {
  await using dataset = await LeRobotDataset.open({ root: DATASET });
  const observations = await sampleObservations(dataset, 6, {});
  const probe = new AgreementProbe({
    policy: teacher,
    teacher,
    observations,
    numNoises: 8,
    referenceSteps: 20,
    seed: 5,
  });
  onTestFinished(() => probe.dispose());
  return probe;
}
