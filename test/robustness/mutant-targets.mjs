// The files that are damaged, and what reads them. Every reader works on a whole folder ("world") of which one file is a mutant.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { predictFile } from "../../dist/cli/predict-file.js";
import { readRunSettings } from "../../dist/cli/run-settings.js";
import { runTraining } from "../../dist/cli/run-training.js";
import { LeRobotDataset } from "../../dist/data/index.js";
import { inspectPolicy } from "../../dist/policy/inspect-policy.js";
import { collectReport } from "../../dist/report/index.js";
import { readSafetensors } from "../../dist/support/safetensors.js";
import { readPairManifest } from "../../dist/train/pairs/pair-manifest.js";
import { PairSet } from "../../dist/train/pairs/pair-set.js";

/** @param {string} path */
async function expectFinite(path) {
  for (const [name, { data }] of await readSafetensors(path)) {
    if (!Array.from(data, Number).every(Number.isFinite))
      throw new Error(`accepted, and gave a ${name} that is not finite`);
  }
}

/** @param {string} world */
async function predict(world) {
  const output = join(world, "prediction.safetensors");
  rmSync(output, { force: true });
  await inspectPolicy(join(world, "teacher"));
  await predictFile({
    policyPath: join(world, "teacher"),
    observationPath: join(world, "observations.safetensors"),
    outputPath: output,
    tasks: ["push the block"],
    ...{ noisePath: undefined, seed: 0, numSteps: 2, device: "cpu", precision: "fp32" },
  });
  await expectFinite(output);
}

/** @param {string} root @param {readonly number[]} frames */
async function readFrames(root, frames) {
  const dataset = await LeRobotDataset.open({ root, chunkSize: 10 });
  try {
    for (const frame of frames) {
      const { arrays } = await dataset.item(frame);
      for (const [name, { shape, data }] of Object.entries(arrays)) {
        const count = shape.reduce((n, size) => n * size, 1);
        if (count !== data.length)
          throw new Error(`accepted, and gave ${data.length} numbers of ${name} for [${shape}]`);
      }
    }
  } finally {
    await dataset.close();
  }
}

/** @param {string} world */
async function resume(world) {
  const flags = ["--resume=true", `--output_dir=${join(world, "run")}`, "--steps=3", "--save_checkpoint=false"];
  const { config, resume: target, warnings } = await readRunSettings(flags);
  // Whatever a mutant asks for, it is one step in the folder of the mutant.
  const bounded = {
    ...config,
    ...{ outputDir: join(world, "run"), steps: Math.min(config.steps, 3), batchSize: Math.min(config.batchSize, 4) },
    ...{ numWorkers: 0, saveCheckpoint: false, policy: { ...config.policy, pushToHub: false, device: "cpu" } },
  };
  const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
  await runTraining(bounded, { resume: target, warnings, stream, signal: new AbortController().signal });
}

/** @param {string} world */
async function readPairs(world) {
  const folder = join(world, "pairs");
  const manifest = await readPairManifest(folder);
  const pairs = await PairSet.read(folder, manifest);
  try {
    pairs.distances(manifest.frames);
    pairs.pairs(manifest.frames.at(-1), [0]).noise.dispose();
  } finally {
    pairs.dispose();
  }
}

/** @param {string} world */
async function report(world) {
  const folders = ["run", "compare", "eval"].map((name) => join(world, name));
  const { problems } = await collectReport(folders, { now: new Date(0), version: "0", clipsFrom: async () => [] });
  const unnamed = problems.find(({ message }) => !message.includes(world));
  if (unnamed) throw new Error(`a problem without a place: ${unnamed.message}`);
}

const readV30 = (/** @type {string} */ world) => readFrames(join(world, "dataset-v3.0"), [0, 388, 60]);
const readV21 = (/** @type {string} */ world) => readFrames(join(world, "dataset-v2.1"), [0, 62]);
const STATE = "run/checkpoints/000002/training_state";
const POLICY = "run/checkpoints/000002/pretrained_model";

/** @type {Readonly<Record<string, { read: (world: string) => Promise<void>, files: readonly string[] }>>} */
export const TARGETS = {
  weights: { read: predict, files: ["teacher/model.safetensors"] },
  "policy configuration": { read: predict, files: ["teacher/config.json", "base-vlm/config.json"] },
  processors: {
    read: predict,
    files: [
      "teacher/policy_preprocessor.json",
      "teacher/policy_postprocessor.json",
      "teacher/policy_preprocessor_step_5_normalizer_processor.safetensors",
      "teacher/policy_postprocessor_step_0_unnormalizer_processor.safetensors",
    ],
  },
  tokenizer: { read: predict, files: ["base-vlm/tokenizer.json", "base-vlm/tokenizer_config.json"] },
  observations: { read: predict, files: ["observations.safetensors"] },
  parquet: {
    read: readV30,
    files: [
      "dataset-v3.0/data/chunk-000/file-000.parquet",
      "dataset-v3.0/meta/episodes/chunk-000/file-000.parquet",
      "dataset-v3.0/meta/tasks.parquet",
    ],
  },
  mp4: { read: readV30, files: ["dataset-v3.0/videos/observation.images.top/chunk-000/file-000.mp4"] },
  "dataset's JSON": { read: readV30, files: ["dataset-v3.0/meta/info.json", "dataset-v3.0/meta/stats.json"] },
  "dataset v2.1": {
    read: readV21,
    files: [
      "dataset-v2.1/meta/info.json",
      "dataset-v2.1/meta/tasks.jsonl",
      "dataset-v2.1/meta/episodes.jsonl",
      "dataset-v2.1/meta/episodes_stats.jsonl",
      "dataset-v2.1/data/chunk-000/episode_000000.parquet",
      "dataset-v2.1/videos/chunk-000/observation.images.top/episode_000000.mp4",
    ],
  },
  "training state": {
    read: resume,
    files: [
      `${STATE}/training_step.json`,
      `${STATE}/reflow_train_config.json`,
      `${STATE}/optimizer_state.safetensors`,
      `${STATE}/reflow_trained_weights.safetensors`,
      `${POLICY}/config.json`,
      `${POLICY}/reflow.json`,
      `${POLICY}/model.safetensors`,
    ],
  },
  pairs: { read: readPairs, files: ["pairs/pairs.json", "pairs/pairs-00000.safetensors"] },
  "results and records": {
    read: report,
    files: ["run/records.jsonl", "compare/comparison.json", "eval/eval_info.json", `${POLICY}/reflow.json`],
  },
};
