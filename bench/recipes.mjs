// How near students come to the bundled teacher's own converged flow on episodes they never saw, by recipe.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { parseArgs } from "node:util";
import { runTraining } from "../dist/cli/run-training.js";
import { collate, LeRobotDataset } from "../dist/data/index.js";
import { agreementTable } from "../dist/eval/index.js";
import { SmolVLAPolicy } from "../dist/policy/smolvla-policy.js";
import { setNumThreads, torchVersion } from "../dist/torch/index.js";
import { parseTrainConfig } from "../dist/train/config.js";
import { describeMachine, printFacts, printTable, record } from "./support/report.mjs";

const HELP = `recipes [--recipes reflow,distilled] [--steps 2500] [--seeds 1000] [--record]

Trains on eight of the ten bundled episodes (seconds to minutes per 1,000 steps on two cores) and measures on 24 frames of
the other two, with 16 noises each, against the teacher's 100 Euler steps. --seeds 1000,1001 repeats every recipe.`;

const FIXTURE = join(import.meta.dirname, "..", "test", "fixtures", "tiny-smolvla");
const [TRAINING, HELD_OUT] = [
  [0, 1, 2, 3, 4, 5, 6, 7],
  [8, 9],
];
const NUM_STEPS = [1, 2, 5, 10];

/** Three noises of each of 16 observations, each pair used twice, forty steps of the teacher. */
const THOROUGH = {
  state_noise: 0.5,
  noises_per_observation: 3,
  pair_uses: 2,
  loss: { padded_share: 0.1 },
};

/** What each recipe has beside the common settings. */
const RECIPES = {
  plain: {},
  "state-noise": { reflow: { state_noise: 0.5 } },
  weighted: { reflow: { state_noise: 0.5, loss: { padded_share: 0.1 } } },
  reflow: { reflow: THOROUGH, batch_size: 16, teacher_steps: 40 },
  distilled: { reflow: { ...THOROUGH, stage: "distill" }, batch_size: 16, teacher_steps: 40 },
};

const { values } = parseArgs({
  options: {
    recipes: { type: "string", default: "reflow,distilled" },
    steps: { type: "string", default: "2500" },
    seeds: { type: "string", default: "1000" },
    record: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function settingsOf(recipe, seed, outputDir) {
  const { teacher_steps: teacherSteps = 20, ...changes } = RECIPES[recipe];
  return {
    policy: {
      type: "smolvla",
      device: "cpu",
      use_reflow: true,
      teacher_model_path: join(FIXTURE, "teacher"),
      reflow_num_inference_steps: teacherSteps,
      optimizer_lr: 1e-3,
      scheduler_decay_lr: 1e-5,
      scheduler_warmup_steps: 100,
    },
    dataset: { repo_id: "bench/tiny", root: join(FIXTURE, "dataset-v3.0"), episodes: TRAINING },
    output_dir: outputDir,
    seed,
    batch_size: 32,
    steps: Number(values.steps),
    save_freq: Number(values.steps),
    eval_freq: 0,
    log_freq: 0,
    num_workers: 1,
    ...changes,
  };
}

async function trainStudent(recipe, seed, outputDir) {
  const { config, warnings } = parseTrainConfig(settingsOf(recipe, seed, outputDir));
  const stream = new PassThrough().resume();
  await runTraining(config, { warnings, resume: undefined, signal: new AbortController().signal, stream });
  return join(outputDir, "checkpoints", "last", "pretrained_model");
}

async function heldOutObservations() {
  const dataset = await LeRobotDataset.open({ root: join(FIXTURE, "dataset-v3.0"), episodes: HELD_OUT });
  try {
    const items = [];
    for (let i = 0; i < 24; i++) items.push(await dataset.item(Math.floor((i * dataset.numFrames) / 24)));
    return collate(items);
  } finally {
    await dataset.close();
  }
}

async function measure(name, policy, teacher, observations) {
  const rows = agreementTable({
    reference: teacher,
    candidates: [{ name, policy }],
    observations,
    numNoises: 16,
    numStepsList: NUM_STEPS,
    numReferenceSteps: 100,
    seed: 7,
  });
  return rows.map(({ numSteps, relativeError, noiseExplained, spreadRatio }) => ({
    numSteps,
    relativeError,
    noiseExplained,
    spreadRatio,
  }));
}

async function main() {
  const machine = describeMachine();
  const recipes = values.recipes.split(",");
  const unknown = recipes.find((recipe) => !Object.hasOwn(RECIPES, recipe));
  if (unknown !== undefined) {
    console.error(`recipes: expected some of ${Object.keys(RECIPES).join(", ")}, got "${unknown}"`);
    process.exitCode = 1;
    return;
  }
  setNumThreads(1); // tensors this small are computed before a second thread is awake
  const folder = mkdtempSync(join(tmpdir(), "reflow-recipes-"));
  try {
    const teacher = await SmolVLAPolicy.load(join(FIXTURE, "teacher"), { device: "cpu" });
    const observations = await heldOutObservations();
    const results = [
      { name: "teacher", seed: null, seconds: 0, agreement: await measure("teacher", teacher, teacher, observations) },
    ];
    for (const recipe of recipes) {
      for (const seed of values.seeds.split(",").map(Number)) {
        const began = performance.now();
        const student = await SmolVLAPolicy.load(await trainStudent(recipe, seed, join(folder, `${recipe}-${seed}`)), {
          device: "cpu",
        });
        const seconds = (performance.now() - began) / 1000;
        results.push({ name: recipe, seed, seconds, agreement: await measure(recipe, student, teacher, observations) });
        student.dispose();
      }
    }
    printFacts({ ...machine, torch: torchVersion(), steps: values.steps });
    const cell = ({ relativeError, noiseExplained, spreadRatio }) =>
      `${(100 * relativeError).toFixed(1)} % / ${noiseExplained.toFixed(2)} / ${spreadRatio.toFixed(2)}`;
    console.log("relative error / noise explained / spread, against the teacher's 100 steps, on unseen episodes:\n");
    printTable(
      ["recipe", "seed", ...NUM_STEPS.map((n) => `${n} ${n === 1 ? "step" : "steps"}`), "trained in"],
      results.map(({ name, seed, seconds, agreement }) => [
        name,
        seed ?? "",
        ...agreement.map(cell),
        `${seconds.toFixed(0)} s`,
      ]),
    );
    if (values.record)
      record("recipes", { machine, torch: torchVersion(), steps: Number(values.steps), recipes: RECIPES, results });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (values.help) console.log(HELP);
else await main();
