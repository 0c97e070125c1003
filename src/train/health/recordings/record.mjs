/**
 * Trains the runs of `runs.json` on the tiny fixture, one after another, and writes what the watch would have seen of each
 * as a line of `runs.jsonl`. From the project's root, after a build: `node src/train/health/recordings/record.mjs`.
 * Names after it select runs; only their lines are replaced.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const HERE = import.meta.dirname;
const ROOT = resolve(HERE, "../../../..");
const DIST = join(ROOT, "dist");
const FIXTURE = join(ROOT, "test/fixtures/tiny-smolvla");
const LINES = join(HERE, "runs.jsonl");
/** of evaluations: the same observations and noises at every one */
const [NUM_OBSERVATIONS, NUM_NOISES, NOISE_SEED] = [6, 8, 7];

const load = (module) => import(join(DIST, module));
const { LeRobotDataset, collate } = await load("data/index.js");
const { measureAgreement } = await load("eval/agreement.js");
const { setNumThreads } = await load("torch/index.js");
const { readRunSettings } = await load("cli/run-settings.js");
const { startTraining } = await load("train/start-training.js");
const { WeightProbe } = await load("train/health/weight-probe.js");

const COMMON = [
  "--policy.device=cpu",
  "--num_workers=0",
  "--save_checkpoint=false",
  `--dataset.root=${FIXTURE}/dataset-v3.0`,
];
const METHODS = {
  reflow: ["--policy.use_reflow=true", `--policy.teacher_model_path=${FIXTURE}/teacher`],
  "fine-tuning": [`--policy.path=${FIXTURE}/teacher`],
  "from scratch": [
    "--policy.type=smolvla",
    `--policy.vlm_model_name=${FIXTURE}/base-vlm`,
    "--policy.load_vlm_weights=true",
    "--policy.chunk_size=6",
    "--policy.n_action_steps=3",
    "--policy.max_state_dim=8",
    "--policy.max_action_dim=8",
    "--policy.num_vlm_layers=2",
    "--policy.resize_imgs_with_padding=[64,64]",
    "--policy.tokenizer_max_length=24",
  ],
};

const rounded = (value, digits) => (Number.isFinite(value) ? Number(value.toPrecision(digits)) : String(value));

async function observations() {
  const dataset = await LeRobotDataset.open({ root: `${FIXTURE}/dataset-v3.0` });
  try {
    const items = [];
    for (let i = 0; i < NUM_OBSERVATIONS; i++) {
      const item = await dataset.item(Math.floor((dataset.numFrames * (i + 0.5)) / NUM_OBSERVATIONS));
      for (let k = 0; k < NUM_NOISES; k++) items.push(item);
    }
    return collate(items);
  } finally {
    await dataset[Symbol.asyncDispose]();
  }
}

async function record({ name, method, verdict, flags }) {
  const folder = mkdtempSync(join(tmpdir(), "health-run-"));
  const { config: settings } = await readRunSettings([
    ...COMMON,
    ...METHODS[method],
    ...flags,
    `--output_dir=${folder}`,
  ]);
  const run = await startTraining(settings);
  const { config, policy, reference } = run;
  const observation = method === "reflow" ? await observations() : undefined;
  const sample = (of, numSteps) => {
    const { chunk } = of.predict(observation, { seed: NOISE_SEED, numSteps });
    return { ...chunk, shape: [NUM_OBSERVATIONS, NUM_NOISES, ...chunk.shape.slice(1)] };
  };
  const expected = observation && sample(reference, 10);
  const agreement = (numSteps) => {
    const { relativeError, noiseExplained, spreadRatio } = measureAgreement(sample(policy, numSteps), expected);
    return [numSteps, ...[relativeError, noiseExplained, spreadRatio].map((value) => rounded(value, 4))];
  };
  const trained = [...policy.model.namedParameters()]
    .map(([, weight]) => weight)
    .filter((weight) => weight.requiresGrad);
  // Other weights are rounded from float32 masters, and say nothing of single updates.
  const probe = new WeightProbe({ weights: trained.filter(({ dtype }) => dtype === "float32") });
  const [losses, gradNorms, weights, evaluations] = [[], [], [], []];
  const evaluate = (step) => observation && evaluations.push([step, [1, 10].map(agreement)]);
  evaluate(0);
  probe.remember();
  try {
    for await (const event of run.events) {
      if (event.kind !== "step") continue;
      const { step } = event;
      losses.push(rounded(event.loss, 4));
      gradNorms.push(rounded(event.gradNorm, 3));
      if (step % 10 === 1) {
        const { relativeUpdate, shareUnmoved } = probe.measure();
        if (config.precision === "fp32") weights.push([step, rounded(relativeUpdate, 3), rounded(shareUnmoved, 3)]);
      }
      if (step % 10 === 0) probe.remember();
      if (step % Math.floor(config.steps / 4) === 0) evaluate(step);
    }
  } finally {
    await run.close();
    rmSync(folder, { recursive: true, force: true });
  }
  const { lr: peakLr } = config.optimizer;
  const { decayLr, numWarmupSteps, numDecaySteps } = config.scheduler;
  const schedule = { peakLr, decayLr, numWarmupSteps, numDecaySteps };
  return {
    name,
    method,
    verdict,
    batchSize: config.batchSize,
    numSteps: config.steps,
    schedule,
    losses,
    gradNorms,
    weights,
    evaluations,
  };
}

setNumThreads(1);
const runs = JSON.parse(readFileSync(join(HERE, "runs.json"), "utf8"));
const chosen = process.argv.slice(2);
const read = () =>
  existsSync(LINES)
    ? readFileSync(LINES, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];
for (const run of runs) {
  if (chosen.length > 0 && !chosen.includes(run.name)) continue;
  if (run.fault !== undefined && !chosen.includes(run.name)) continue;
  const line = await record(run);
  const byName = new Map([...read(), line].map((other) => [other.name, other]));
  const lines = runs.flatMap(({ name }) => (byName.has(name) ? [JSON.stringify(byName.get(name))] : []));
  writeFileSync(LINES, `${lines.join("\n")}\n`);
}
