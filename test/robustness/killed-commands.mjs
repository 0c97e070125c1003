// The commands that write something which a killed process must not spoil: how they are run, what a user would do after a kill,
// what must be readable at any time, and what the end must be.
import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { readComparison } from "../../dist/compare/read-comparison.js";
import { LeRobotDataset } from "../../dist/data/index.js";
import { SmolVLAPolicy } from "../../dist/policy/smolvla-policy.js";
import { readRecords } from "../../dist/records/read-records.js";
import { readSafetensors } from "../../dist/support/safetensors.js";
import { checkpointsUpTo } from "../../dist/train/checkpoint.js";
import { readPairManifest } from "../../dist/train/pairs/pair-manifest.js";
import { runProgram } from "./run-program.mjs";

/**
 * @typedef {object} KilledCommand
 * @property {string} name
 * @property {(folder: string) => readonly string[]} args of a run that begins in a folder below one of its own
 * @property {(folder: string) => readonly string[]} argsAfterKill what a user gives to go on
 * @property {(folder: string) => Promise<void>} expectReadable throws if anything that is there is not whole
 * @property {(folder: string) => string | Promise<string>} resultOf a digest of what must be equal
 * @property {(folder: string) => void} [before] makes what is there before the command runs for the first time
 */

const FIXTURE = join(import.meta.dirname, "..", "fixtures", "tiny-smolvla");
const TEACHER = join(FIXTURE, "teacher");
const DATASET = join(FIXTURE, "dataset-v3.0");
const STEPS = 6;

const COMMON = [
  `--dataset.root=${DATASET}`,
  "--policy.device=cpu",
  "--batch_size=2",
  "--policy.optimizer_lr=1e-3",
  "--policy.scheduler_warmup_steps=0",
  "--eval_freq=0",
  "--log_freq=1",
  "--seed=5",
];
const REFLOW = [
  ...COMMON,
  "--policy.use_reflow=true",
  `--policy.teacher_model_path=${TEACHER}`,
  "--policy.reflow_num_inference_steps=2",
];

const namesIn = (/** @type {string} */ folder) => (existsSync(folder) ? readdirSync(folder) : []);

/** @param {string} folder @returns {string[]} */
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

/** @param {readonly (readonly [string, string | Buffer])[]} named */
function digest(named) {
  const hash = createHash("sha256");
  for (const [name, content] of named) hash.update(`${name} ${content.length}\n`).update(content);
  return hash.digest("hex");
}

/** @param {string} folder @param {(name: string) => boolean} [isWanted] */
const digestOf = (folder, isWanted = () => true) =>
  digest(
    filesIn(folder)
      .filter(isWanted)
      .map((name) => [name, readFileSync(join(folder, name))]),
  );

/** @param {boolean} isTrue @param {string} message */
function expectTrue(isTrue, message) {
  if (!isTrue) throw new Error(message);
}

/** Nothing half-written may be left by a command that has ended well. @param {string} folder */
function expectNoLeftovers(folder) {
  const left = [...namesIn(dirname(folder)), ...(existsSync(folder) ? filesIn(folder).map((f) => basename(f)) : [])];
  const odd = left.filter((name) => /\.tmp$|\.recording$|^\.lock$/.test(name));
  expectTrue(odd.length === 0, `left behind: ${odd.join(", ")}`);
}

/** @param {string} path */
async function expectFinite(path) {
  for (const [name, { data }] of await readSafetensors(path)) {
    if (!(data instanceof Float32Array)) continue;
    expectTrue(
      data.every((x) => Number.isFinite(x)),
      `${path}: ${name} is not finite`,
    );
  }
}

/** Every checkpoint that bears a name, and the last one first of all. @param {string} folder */
async function expectCheckpoints(folder) {
  const found = checkpointsUpTo(folder, Number.POSITIVE_INFINITY);
  for (const checkpoint of found) {
    const { step } = JSON.parse(readFileSync(join(checkpoint.folder, "training_state", "training_step.json"), "utf8"));
    expectTrue(step === checkpoint.step, `${checkpoint.folder}: is of step ${step}`);
    for (const file of filesIn(checkpoint.folder).filter((name) => name.endsWith(".safetensors"))) {
      await expectFinite(join(checkpoint.folder, file));
    }
  }
  if (found.length > 0) {
    const last = join(folder, "checkpoints", "last");
    const policy = await SmolVLAPolicy.load(join(existsSync(last) ? last : found.at(-1).folder, "pretrained_model"), {
      device: "cpu",
      besides: [FIXTURE],
    });
    policy.dispose();
  }
  if (existsSync(join(folder, "records.jsonl"))) await readRecords(join(folder, "records.jsonl"));
}

/** Weights, moments, averages, random state and statistics of the last checkpoint. @param {string} folder */
async function trainingResult(folder) {
  expectNoLeftovers(folder);
  const { records } = await readRecords(join(folder, "records.jsonl"));
  const steps = records.filter(({ event }) => event === "step").map(({ step }) => step);
  expectTrue(steps.join() === Array.from({ length: STEPS }, (_, i) => i + 1).join(), `records of steps ${steps}`);
  const { event, reason } = /** @type {{ event: string, reason?: string }} */ (records.at(-1));
  expectTrue(event === "end" && reason === "completed", `the records end with ${event} ${reason}`);
  return digestOf(realLast(folder), (name) => name.endsWith(".safetensors"));
}

/** @param {string} folder */
const realLast = (folder) => join(folder, "checkpoints", String(STEPS).padStart(6, "0"));

/**
 * @param {string} name
 * @param {readonly string[]} flags
 * @returns {KilledCommand}
 */
function training(name, flags) {
  /** @param {string} folder */
  const args = (folder) => ["train", ...flags, `--steps=${STEPS}`, `--output_dir=${folder}`];
  return {
    name,
    args,
    argsAfterKill: (folder) => {
      const hasCheckpoint = checkpointsUpTo(folder, Number.POSITIVE_INFINITY).length > 0;
      return hasCheckpoint
        ? ["train", "--resume=true", `--output_dir=${folder}`]
        : [...args(folder), "--overwrite=true"];
    },
    expectReadable: expectCheckpoints,
    resultOf: trainingResult,
  };
}

const pairs = {
  name: "pairs",
  args: (/** @type {string} */ folder) => [
    "pairs",
    `--policy.path=${TEACHER}`,
    `--dataset.root=${DATASET}`,
    "--dataset.episodes=[0]",
    "--policy.device=cpu",
    "--num_workers=0",
    "--batch_size=8",
    "--policy.reflow_num_inference_steps=2",
    "--num_noises_per_observation=2",
    "--frames_per_shard=8",
    `--output=${folder}`,
  ],
  async expectReadable(/** @type {string} */ folder) {
    if (existsSync(join(folder, "pairs.json"))) await readPairManifest(folder);
    const shards = namesIn(folder).filter((name) => /^pairs-\d+\.safetensors$/.test(name));
    for (const name of shards) await expectFinite(join(folder, name));
  },
  resultOf(/** @type {string} */ folder) {
    expectNoLeftovers(folder);
    return digestOf(folder);
  },
};

/** @param {number} episodes @param {string} folder @param {readonly string[]} more */
const datasetArgs = (episodes, folder, ...more) => [
  "make-dataset",
  "--env.type=avoiding",
  `--episodes=${episodes}`,
  `--output=${folder}`,
  ...more,
];

/** @param {string} folder */
async function expectDataset(folder) {
  if (!existsSync(folder)) return;
  const dataset = await LeRobotDataset.open({ root: folder });
  try {
    for (const frame of [0, dataset.numFrames - 1]) await dataset.item(frame);
  } finally {
    await dataset.close();
  }
}

const makeDataset = {
  name: "make-dataset",
  args: (/** @type {string} */ folder) => datasetArgs(2, folder),
  // One that was killed after its dataset had appeared is refused: there is nothing left to do.
  argsAfterKill: (/** @type {string} */ folder) =>
    datasetArgs(2, folder, ...(existsSync(folder) ? ["--overwrite=true"] : [])),
  expectReadable: expectDataset,
  resultOf(/** @type {string} */ folder) {
    expectNoLeftovers(folder);
    return digestOf(folder);
  },
};

/** @param {{ teacher: string, dataset: string }} made @returns {KilledCommand} */
const compare = ({ teacher, dataset }) => ({
  name: "compare",
  args: (folder) => [
    ...[
      "compare",
      `--policies=teacher=${teacher},again=${teacher}`,
      `--dataset.root=${dataset}`,
      "--dataset.episodes=[0]",
    ],
    ...[
      "--device=cpu",
      "--num_steps=1",
      "--deployed_steps=2",
      "--latency_calls=0",
      "--num_observations=2",
      "--num_noises=2",
    ],
    ...["--reference_steps=2", "--path_steps=3", "--env.type=avoiding", "--env.max_steps=4", "--eval.n_episodes=2"],
    `--output_dir=${folder}`,
  ],
  argsAfterKill(folder) {
    const isDone = /"status":"complete"/.test(readIfThere(join(folder, "comparison.json")));
    return [...this.args(folder), ...(isDone ? ["--overwrite=true"] : [])];
  },
  async expectReadable(folder) {
    const file = join(folder, "comparison.json");
    if (existsSync(file)) await readComparison(file);
    expectWholePage(join(folder, "report.html"));
  },
  async resultOf(folder) {
    expectNoLeftovers(folder);
    const { status, offline, closedLoop, verdicts } = await readComparison(join(folder, "comparison.json"));
    const driven = closedLoop.rows.map(({ seconds: _, latency: __, ...row }) => row);
    return digest([["comparison", JSON.stringify({ status, offline, verdicts, driven })]]);
  },
});

/** @param {{ teacher: string }} made @returns {KilledCommand} */
const evaluation = ({ teacher }) => ({
  name: "eval",
  args: (folder) => [
    ...["eval", `--policy.path=${teacher}`, "--policy.device=cpu", "--policy.num_steps=1", "--env.type=avoiding"],
    ...["--env.max_steps=8", "--eval.n_episodes=3", "--eval.batch_size=1", "--latency_calls=0"],
    `--output_dir=${folder}`,
  ],
  argsAfterKill(folder) {
    const text = readIfThere(join(folder, "eval_info.json"));
    const isDone = text !== "" && JSON.parse(text).reflow.status !== "partial";
    return [...this.args(folder), ...(isDone ? ["--overwrite=true"] : [])];
  },
  async expectReadable(folder) {
    const text = readIfThere(join(folder, "eval_info.json"));
    if (text !== "") expectTrue(["partial", "complete"].includes(JSON.parse(text).reflow.status), "a status");
  },
  resultOf(folder) {
    expectNoLeftovers(folder);
    const info = JSON.parse(readFileSync(join(folder, "eval_info.json"), "utf8"));
    const text = JSON.stringify(info, (key, value) =>
      /eval_s|eval_ep_s|seconds|video_paths/.test(key) ? undefined : value,
    );
    const videos = filesIn(folder).filter((name) => name.endsWith(".mp4"));
    return digest([["info", text], ...videos.map((name) => [name, readFileSync(join(folder, name))])]);
  },
});

/** @param {string} file */
const readIfThere = (file) => (existsSync(file) ? readFileSync(file, "utf8") : "");

/** @param {string} file */
function expectWholePage(file) {
  if (existsSync(file)) expectTrue(readFileSync(file, "utf8").trimEnd().endsWith("</html>"), `${file} is torn`);
}

const withoutDates = (/** @type {string} */ page) => page.replace(/"created":"[^"]*"/, "");

/** @param {{ run: string }} made @returns {KilledCommand} */
const report = ({ run }) => ({
  name: "report",
  before: (folder) => writeFileSync(`${folder}.html`, "<html>an older page</html>"),
  args: (folder) => ["report", run, `--output=${folder}.html`],
  argsAfterKill: (folder) => report({ run }).args(folder),
  async expectReadable(folder) {
    expectTrue(existsSync(`${folder}.html`), "the older page is gone");
    expectWholePage(`${folder}.html`);
  },
  resultOf(folder) {
    expectNoLeftovers(folder);
    return digest([["page", withoutDates(readFileSync(`${folder}.html`, "utf8"))]]);
  },
});

const STAGES = ["01-flow", "02-straight"];

/** @param {string} root @returns {KilledCommand} */
function pipeline(root) {
  const settings = join(root, "pipeline.yaml");
  writeFileSync(
    settings,
    JSON.stringify({
      ...{ dataset: { root: DATASET }, batch_size: 2, num_workers: 0, save_freq: 2, log_freq: 1, seed: 5 },
      held_out: { num_observations: 1, num_noises: 2, reference_steps: 1 },
      policy: {
        ...{ device: "cpu", path: TEACHER, optimizer_lr: 1e-3, scheduler_warmup_steps: 0 },
        reflow_num_inference_steps: 2,
      },
      stages: [
        { name: "flow", kind: "flow_matching", steps: 3 },
        { name: "straight", kind: "reflow", steps: 3 },
      ],
      compare: { num_steps: [1], num_observations: 1, num_noises: 2, reference_steps: 2 },
    }),
  );
  /** @param {string} folder */
  const args = (folder) => ["pipeline", `--config_path=${settings}`, `--output_dir=${folder}`];
  return {
    name: "pipeline",
    args,
    argsAfterKill: args,
    async expectReadable(folder) {
      for (const stage of STAGES) await expectCheckpoints(join(folder, stage));
      for (const name of ["pipeline.json", "comparison.json"]) {
        const text = readIfThere(join(folder, name));
        if (text !== "") JSON.parse(text);
      }
    },
    resultOf(folder) {
      expectNoLeftovers(folder);
      const last = STAGES.map((stage) => join(folder, stage, "checkpoints", "000003"));
      const { rows, findings } = JSON.parse(readFileSync(join(folder, "comparison.json"), "utf8"));
      return digest([
        ["rows", JSON.stringify([rows, findings])],
        ...last.map((stage) => [stage.slice(folder.length), digestOf(stage, (name) => name.endsWith(".safetensors"))]),
      ]);
    },
  };
}

/**
 * The commands by name. What they need is made below `root`, by those of them that are asked for.
 *
 * @param {string} root
 * @param {readonly string[]} [wanted] all if left out
 * @returns {Promise<readonly KilledCommand[]>}
 */
export async function killedCommands(root, wanted) {
  /** @type {Record<string, () => KilledCommand | Promise<KilledCommand>>} */
  const makers = {
    reflow: () => training("reflow", [...REFLOW, "--num_workers=1", "--save_freq=2"]),
    "reflow with ema": () =>
      training("reflow with ema", [...REFLOW, "--num_workers=0", "--save_freq=1", "--ema.decay=0.9"]),
    "flow matching": () =>
      training("flow matching", [...COMMON, `--policy.path=${TEACHER}`, "--num_workers=0", "--save_freq=2"]),
    pairs: () => ({ ...pairs, argsAfterKill: pairs.args }),
    "make-dataset": () => makeDataset,
    "make-dataset --overwrite": async () => overwritten((await worldPolicy(root)).dataset),
    pipeline: () => pipeline(root),
    compare: async () => compare(await worldPolicy(root)),
    eval: async () => evaluation(await worldPolicy(root)),
    report: async () => report(await worldPolicy(root)),
  };
  const commands = [];
  for (const name of wanted ?? Object.keys(makers)) commands.push(await makers[name]());
  return commands;
}

/** A new dataset in place of an older one. @param {string} older @returns {KilledCommand} */
function overwritten(older) {
  return {
    ...makeDataset,
    name: "make-dataset --overwrite",
    before: (folder) => cpSync(older, folder, { recursive: true }),
    args: (folder) => datasetArgs(2, folder, "--overwrite=true"),
    argsAfterKill: (folder) => datasetArgs(2, folder, "--overwrite=true"),
  };
}

/** @type {Map<string, Promise<{ dataset: string, teacher: string, run: string }>>} */
const made = new Map();

/** A dataset of the built-in world and a policy trained on it, made once below a folder. @param {string} root */
export function worldPolicy(root) {
  if (!made.has(root)) made.set(root, makeWorldPolicy(root));
  return made.get(root);
}

/** @param {string} root */
async function makeWorldPolicy(root) {
  const [dataset, run] = [join(root, "world-dataset"), join(root, "world-run")];
  await runWell(datasetArgs(3, dataset));
  await runWell([
    ...["train", `--dataset.root=${dataset}`, "--policy.device=cpu", "--num_workers=0", "--steps=2", "--batch_size=4"],
    ...[
      "--policy.type=smolvla",
      `--policy.vlm_model_name=${join(FIXTURE, "base-vlm")}`,
      "--policy.load_vlm_weights=true",
    ],
    ...["--policy.chunk_size=8", "--policy.n_action_steps=4", "--policy.max_state_dim=4", "--policy.max_action_dim=3"],
    ...["--policy.num_vlm_layers=2", "--policy.resize_imgs_with_padding=[64,64]", "--policy.tokenizer_max_length=24"],
    ...["--eval_freq=0", `--output_dir=${run}`],
  ]);
  return { dataset, run, teacher: run };
}

/** @param {readonly string[]} args */
async function runWell(args) {
  const { code, err } = await runProgram(args);
  if (code !== 0) throw new Error(`reflow ${args.join(" ")} ended with ${code}:\n${err}`);
}
