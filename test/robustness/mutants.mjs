// Damaged files by the hundred: who reads them, and whether each ends in a value or in one error that names its place.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { worldPolicy } from "./killed-commands.mjs";
import { runProgram, spawnLimited } from "./run-program.mjs";

const FIXTURES = join(import.meta.dirname, "..", "fixtures");
const TINY = join(FIXTURES, "tiny-smolvla");

/** The one target that is no file. */
export const COMMAND_LINES = "command lines";

/** Seconds without an end of a mutant after which its reader hangs. */
const HANG_SECONDS = 30;

/**
 * @typedef {object} Mutants
 * @property {string} target
 * @property {number} tried
 * @property {number} read the damage did not matter, or could not be seen
 * @property {number} refused with an error of ours that names the place
 * @property {readonly string[]} failures crashes, hangs, other errors; each with how it can be seen again
 */

/** Everything that mutants are made of. @param {string} world a folder that does not exist */
export async function makeWorld(world) {
  mkdirSync(world, { recursive: true });
  for (const name of ["base-vlm", "teacher", "dataset-v3.0"])
    cpSync(join(TINY, name), join(world, name), { recursive: true });
  cpSync(join(FIXTURES, "tiny-dataset-v2.1"), join(world, "dataset-v2.1"), { recursive: true });
  cpSync(join(TINY, "parity", "raw_batch.safetensors"), join(world, "observations.safetensors"));
  const teacher = join(TINY, "teacher");
  const dataset = `--dataset.root=${join(TINY, "dataset-v3.0")}`;
  const common = ["--policy.device=cpu", "--num_workers=0", "--policy.reflow_num_inference_steps=2"];
  const runs = [
    [
      ...[
        "train",
        dataset,
        ...common,
        "--batch_size=2",
        "--policy.use_reflow=true",
        `--policy.teacher_model_path=${teacher}`,
      ],
      ...["--steps=2", "--eval_freq=0", "--log_freq=1", "--ema.decay=0.9", `--output_dir=${join(world, "run")}`],
    ],
    [
      ...["pairs", dataset, ...common, `--policy.path=${teacher}`, "--dataset.episodes=[0]", "--batch_size=8"],
      ...["--num_noises_per_observation=2", "--frames_per_shard=25", `--output=${join(world, "pairs")}`],
    ],
    [
      ...[
        "compare",
        `--policies=teacher=${teacher},again=${teacher}`,
        dataset,
        "--dataset.episodes=[0]",
        "--device=cpu",
      ],
      ...["--num_steps=1", "--deployed_steps=2", "--num_observations=2", "--num_noises=2", "--reference_steps=2"],
      ...["--path_steps=3", `--output_dir=${join(world, "compare")}`],
    ],
  ];
  for (const args of runs) {
    const { code, err } = await runProgram(args);
    if (code !== 0) throw new Error(`reflow ${args.join(" ")} ended with ${code}:\n${err}`);
  }
  const { run } = await worldPolicy(join(world, "..", "made-for-mutants"));
  const { code, err } = await runProgram([
    ...["eval", `--policy.path=${run}`, "--policy.device=cpu", "--policy.num_steps=1", "--env.type=avoiding"],
    ...["--env.max_steps=4", "--eval.n_episodes=2", "--latency_calls=0", `--output_dir=${join(world, "eval")}`],
  ]);
  if (code !== 0) throw new Error(`reflow eval ended with ${code}:\n${err}`);
}

/**
 * Reads mutants `from` to `to` of a target in processes of their own, one after the other; one that ends before its time is
 * followed by the next.
 *
 * @param {string} target
 * @param {{ count: number, first?: number, seed: number, world: string, root: string }} options
 * @returns {Promise<Mutants>}
 */
export async function readMutants(target, { count, first = 0, seed, world, root }) {
  const result = { target, tried: 0, read: 0, refused: 0, failures: [] };
  const name = target.replaceAll(/\W+/g, "-");
  const [log, scratch] = [join(root, `${name}.log`), join(root, name)];
  const end = first + count;
  for (let from = first; from < end; ) {
    rmSync(log, { force: true });
    rmSync(scratch, { recursive: true, force: true });
    const job = { target, seed, from, to: end, world, scratch, log };
    const how = await readInProcess(job);
    const lines = existsSync(log)
      ? readFileSync(log, "utf8")
          .trimEnd()
          .split("\n")
          .filter(Boolean)
          .map((line) => JSON.parse(line))
      : [];
    let begun;
    for (const line of lines) {
      if (line.outcome === undefined) {
        begun = line;
        continue;
      }
      result.tried++;
      if (line.outcome !== "bad") result[line.outcome]++;
      else result.failures.push(describe(seed, target, begun, line.why));
      begun = undefined;
    }
    if (how.isWhole && begun === undefined) break;
    if (begun === undefined && lines.length === 0) throw new Error(`${target}: no mutant was read: ${how.text}`);
    if (begun !== undefined) {
      result.tried++;
      result.failures.push(describe(seed, target, begun, how.text));
    }
    from = lines.at(-1).i + 1;
  }
  return result;
}

/** @param {number} seed @param {string} target @param {{ i: number, file: string, damage: string }} begun @param {string} why */
const describe = (seed, target, { i, file, damage }, why) =>
  `seed ${seed}, ${target}, mutant ${i} (${file}, ${damage}): ${why}`;

/** @param {{ target: string, log: string }} job @returns {Promise<{ isWhole: boolean, text: string }>} */
function readInProcess(job) {
  const script = job.target === COMMAND_LINES ? "run-command-lines.mjs" : "read-mutants.mjs";
  const child = spawnLimited([join(import.meta.dirname, script), JSON.stringify(job)]);
  let err = "";
  child.stdout.resume();
  child.stderr.setEncoding("utf8").on("data", (text) => {
    err = (err + text).slice(-3000);
  });
  let [seenAt, seenSize, isHanging] = [performance.now(), -1, false];
  const watch = setInterval(() => {
    const size = existsSync(job.log) ? statSync(job.log).size : 0;
    if (size !== seenSize) [seenAt, seenSize] = [performance.now(), size];
    else if (performance.now() - seenAt > 1000 * HANG_SECONDS) {
      isHanging = true;
      child.kill("SIGKILL");
    }
  }, 500);
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => {
      clearInterval(watch);
      const how = isHanging ? `no end within ${HANG_SECONDS} s` : `the process ended with ${signal ?? code}`;
      done({ isWhole: code === 0, text: `${how}\n${err}` });
    });
  });
}
