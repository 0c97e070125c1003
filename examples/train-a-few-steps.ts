/**
 * Straightens a policy for a few steps, with the library's own pieces: what a LeRobot user writes in Python around
 * `SmolVLAPolicy`, `LeRobotDataset` and a training loop. For real training use `reflow train`, which adds checkpoints,
 * resuming, logs and checks.
 *
 * Run it from the project's folder, with no folders to try it on the small test policy:
 *
 *     npx tsc -p examples
 *     node build/examples/train-a-few-steps.js [TEACHER] [DATASET] [OUTPUT]
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AdamW,
  agreementTable,
  BatchSampler,
  backward,
  clipGradients,
  collate,
  cosineDecayWithWarmup,
  euler,
  Generator,
  imageFeatureNames,
  isTrainable,
  LeRobotDataset,
  l2,
  SmolVLAPolicy,
  sampleTime,
  scope,
  teacherPairs,
  uniformGrid,
  uShapedLaw,
  VelocityMatching,
  withAtoms,
} from "reflow-vla";

const FIXTURE = "test/fixtures/tiny-smolvla";
const [teacherFolder = `${FIXTURE}/teacher`, datasetFolder = `${FIXTURE}/dataset-v3.0`, givenOutput] =
  process.argv.slice(2);
const outputFolder = givenOutput ?? (await mkdtemp(join(tmpdir(), "straightened-")));
const [NUM_STEPS, BATCH_SIZE, SEED] = [20, 8, 1000];

// A policy is a folder on disk or a name on the Hub. Its configuration is LeRobot's, in camelCase.
const teacher = await SmolVLAPolicy.load(teacherFolder);
const { config, device } = teacher;
console.log(`cameras: ${imageFeatureNames(config).join(", ")}`);
console.log(`chunks of ${config.chunkSize} actions of ${teacher.actionDim} dimensions, ${config.numSteps} Euler steps`);

// The student has an expert of its own, which starts as the teacher's, on the teacher's vision-language model.
const student = teacher.with({ model: teacher.model.withCopiedExpert() });
const parameters = new Map(
  [...student.model.namedParameters()].filter(([name]) => name.startsWith("expert.") && isTrainable(name, config)),
);
for (const parameter of parameters.values()) parameter.requiresGrad = true;

// Reflow: learn the straight line from each noise to where the teacher's flow carries it.
const objective = new VelocityMatching({
  name: "reflow",
  model: student.model,
  device,
  coupling: teacherPairs({
    teacher: teacher.model,
    config,
    device,
    sharesContext: true,
    solver: euler,
    grid: uniformGrid,
    numSteps: 10,
    paddedDims: "teacher",
    numNoises: 1,
  }),
  times: (numSamples, generator) => sampleTime(withAtoms(uShapedLaw, [1], 0.25), numSamples, generator),
  loss: { distance: l2 },
  hasFrozenContext: true,
});
const optimizer = new AdamW(parameters, {
  betas: config.optimizerBetas,
  eps: config.optimizerEps,
  weightDecay: config.optimizerWeightDecay,
});
const schedule = cosineDecayWithWarmup(
  { peakLr: 1e-4, decayLr: 1e-5, numWarmupSteps: 5, numDecaySteps: NUM_STEPS },
  NUM_STEPS,
);

await using dataset = await LeRobotDataset.open({ root: datasetFolder, chunkSize: config.chunkSize });
const sampler = new BatchSampler({ numFrames: dataset.numFrames, batchSize: BATCH_SIZE, seed: SEED });
const readBatch = async (indices: Iterable<number>) =>
  collate(await Promise.all(Array.from(indices, (index) => dataset.item(index))));

using generator = new Generator(SEED);
for (let step = 0; step < NUM_STEPS; step++) {
  const observations = await readBatch(sampler.indices(step));
  // Tensors live in libtorch's memory; a scope frees those that were made in it.
  scope(() => {
    const { arrays, tasks } = observations;
    const batch = { input: student.encode(observations), arrays, tasks, number: step, step };
    const { loss } = objective.loss(batch, generator);
    backward(loss);
    const gradients = Array.from(parameters.values(), (parameter) => parameter.grad);
    const gradNorm = clipGradients(gradients, config.optimizerGradClipNorm);
    optimizer.step(gradients, schedule(step));
    for (const parameter of parameters.values()) parameter.grad = undefined;
    console.log(`step ${step + 1}: loss ${loss.item().toFixed(4)}, gradient norm ${gradNorm.item().toFixed(3)}`);
  });
}

// How near do few steps come to the teacher's flow, solved in 50? Same observations, same noises.
const observations = await readBatch([0, 5, 10, 15].filter((index) => index < dataset.numFrames));
const table = agreementTable({
  reference: teacher,
  candidates: [
    { name: "teacher", policy: teacher },
    { name: "student", policy: student },
  ],
  observations,
  numNoises: 16,
  numStepsList: [1, 2],
  numReferenceSteps: 50,
  seed: SEED,
});
for (const { name, numSteps, relativeError, noiseExplained } of table) {
  console.log(
    `${name} in ${numSteps}: relative error ${relativeError?.toFixed(3)}, noise explained ${noiseExplained?.toFixed(2)}`,
  );
}

// Saved as LeRobot saves a policy, set to sample in two steps.
const straightened = student.with({ config: { ...config, numSteps: 2 } });
await straightened.save(outputFolder);
const reloaded = await SmolVLAPolicy.load(outputFolder, { device, besides: student.resourceFolders });
const { robotChunk } = reloaded.predict(observations, { seed: SEED });
console.log(`saved in ${outputFolder}; it predicts [${robotChunk.shape.join(", ")}] in the robot's units`);

optimizer.dispose();
reloaded.dispose();
