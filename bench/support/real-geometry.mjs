// A reflow run at the real geometry, in this process: a teacher from a policy folder, its student, and one fixed batch.

import { betaLaw, euler, l2, sampleTime, uniformGrid } from "../../dist/flow/index.js";
import { AdamW } from "../../dist/optim/index.js";
import { SmolVLAPolicy } from "../../dist/policy/smolvla-policy.js";
import { imageFeatureNames } from "../../dist/smolvla/config.js";
import { isTrainable } from "../../dist/smolvla/trainable.js";
import { hostArray } from "../../dist/support/host-array.js";
import { teacherPairs } from "../../dist/train/couplings/teacher.js";
import { VelocityMatching } from "../../dist/train/objectives/velocity-matching.js";

/** As LeRobot's preset for SmolVLA has it. */
export const MAX_GRAD_NORM = 10;
/** @type {import("../../dist/optim/index.js").AdamWOptions} */
const ADAMW = { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 1e-10 };

/** A small generator of whole numbers below 2^32; the contents of a batch do not matter, only that they vary. */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}

/** A processed batch as it comes from the data workers: uint8 cameras of 480 x 640, normalised state, token ids. */
function randomBatch({ batchSize, numTokens, config }) {
  const next = randomNumbers(1);
  const fill = (data, draw) => data.map(draw);
  const stateDim = config.inputFeatures["observation.state"].shape[0];
  const arrays = {
    "observation.state": hostArray(
      "float32",
      [batchSize, stateDim],
      fill(new Float32Array(batchSize * stateDim), () => next() / 2 ** 31 - 1),
    ),
    "observation.language.tokens": hostArray(
      "int64",
      [batchSize, numTokens],
      fill(new BigInt64Array(batchSize * numTokens), () => BigInt(next() % 4096)),
    ),
    "observation.language.attention_mask": hostArray(
      "bool",
      [batchSize, numTokens],
      new Uint8Array(batchSize * numTokens).fill(1),
    ),
  };
  for (const camera of imageFeatureNames(config)) {
    const shape = [batchSize, 3, 480, 640];
    arrays[camera] = hostArray(
      "uint8",
      shape,
      fill(new Uint8Array(batchSize * 3 * 480 * 640), () => next() >>> 24),
    );
  }
  return { arrays, tasks: Array.from({ length: batchSize }, () => "") };
}

/**
 * @param {{ folder: string, device: string, precision: "fp32" | "bf16", batchSize: number, teacherSteps: number,
 *   numTokens: number }} options
 */
export async function prepareRealGeometry({ folder, device, precision, batchSize, teacherSteps, numTokens }) {
  const policy = await SmolVLAPolicy.load(folder, { device, precision, besides: [folder] });
  const { config } = policy;
  const student = policy.model.withCopiedExpert();
  const trained = new Map();
  for (const [name, parameter] of student.namedParameters()) {
    parameter.requiresGrad = isTrainable(name, config);
    if (parameter.requiresGrad) trained.set(name, parameter);
  }
  const objective = new VelocityMatching({
    name: "reflow",
    model: student,
    device,
    coupling: teacherPairs({
      teacher: policy.model,
      config,
      device,
      sharesContext: true,
      solver: euler,
      grid: uniformGrid,
      numSteps: teacherSteps,
      paddedDims: "teacher",
      numNoises: 1,
    }),
    times: (numSamples, generator) => sampleTime(betaLaw, numSamples, generator),
    loss: { distance: l2 },
    hasFrozenContext: true,
  });
  return {
    policy,
    student,
    objective,
    parameters: [...trained.values()],
    optimizer: new AdamW(trained, ADAMW),
    batch: randomBatch({ batchSize, numTokens, config }),
  };
}
