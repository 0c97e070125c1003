/** What `reflow predict` does: observations and noise from files, action chunks into one. */
import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isAdapterFolder } from "../policy/adapter-folder.js";
import { findPolicyFolder } from "../policy/find-policy-folder.js";
import { checkNoise, checkObservation } from "../policy/observation-file.js";
import { type Prediction, type PredictOptions, SmolVLAPolicy } from "../policy/smolvla-policy.js";
import type { SmolVLAConfig } from "../smolvla/config.js";
import type { Precision } from "../smolvla/precision.js";
import { CheckpointError, ConfigError, type ConfigProblem, isUserError, messageOf } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import { makeFolder } from "../support/make-folder.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../support/safetensors.js";
import { normalizationWarnings } from "./normalization-warnings.js";
import { formatTable } from "./table.js";

export interface PredictRequest {
  readonly policyPath: string;
  readonly observationPath: string;
  readonly outputPath: string;
  /** none, one for all observations, or one each */
  readonly tasks: readonly string[];
  readonly noisePath: string | undefined;
  readonly seed: number | undefined;
  readonly numSteps: number | undefined;
  readonly device: string | undefined;
  readonly precision: Precision;
}

/** What a user is told afterwards. */
export interface PredictReport {
  readonly lines: string;
  readonly warnings: readonly string[];
}

/**
 * Predicts a chunk for every observation of a file and writes them, in the deployment path.
 *
 * @throws ConfigError, ShapeError, CheckpointError or HubError naming the flag, the file or the entry at fault
 */
export async function predictFile(request: PredictRequest): Promise<PredictReport> {
  checkRequest(request);
  const { observationPath, outputPath, precision, device } = request;
  const { policyPath } = request;
  const folder = isAdapterFolder(policyPath) ? policyPath : await findPolicyFolder(policyPath);
  const entries = await readSafetensors(observationPath);
  const given = request.noisePath === undefined ? undefined : await readNoiseFile(request.noisePath);
  const policy = await SmolVLAPolicy.load(folder, device === undefined ? { precision } : { precision, device });
  try {
    const observation = observedBy(folder, () => checkObservation(entries, policy, observationPath));
    const { batchSize } = observation;
    const noise = chooseNoise(request, given ?? entries.get("noise"), policy.config, batchSize);
    const tasks = tasksFor(request.tasks, batchSize);
    const numSteps = request.numSteps ?? policy.config.numSteps;
    const prediction = predictWith(folder, observationPath, () =>
      policy.predict({ arrays: observation.arrays, tasks }, { ...noise.start, numSteps }),
    );
    await writePrediction(outputPath, prediction);
    const shape = `[${prediction.chunk.shape.join(", ")}]`;
    return {
      lines: formatTable([
        ["policy", `${folder} (Euler, num_steps ${numSteps}, ${policy.device}, ${precision})`],
        ["observations", `${batchSize} in ${observationPath}, seen by ${observation.cameras.join(", ")}`],
        ["noise", noise.where],
        ["output", `${outputPath}: chunk ${shape} normalised, robot_chunk ${shape} in the robot's units`],
      ]),
      warnings: [
        ...policy.warnings,
        ...normalizationWarnings(policy, "robot_chunk"),
        ...observation.warnings,
        ...(request.tasks.length === 0
          ? ["no --task was given: the policy is told nothing to do (an empty text)"]
          : []),
        ...("noise" in noise.start && request.seed !== undefined
          ? [`--seed has no effect: the noise is given, ${noise.where}`]
          : []),
      ],
    };
  } finally {
    policy.dispose();
  }
}

/** An error in what the policy says about itself gets the file that says it. */
function observedBy<T>(folder: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(join(folder, "config.json"), error.message) : error;
  }
}

/** @throws CheckpointError naming the policy that cannot act, or acts without numbers */
function predictWith(folder: string, observationPath: string, predict: () => Prediction): Prediction {
  let prediction: Prediction;
  try {
    prediction = predict();
  } catch (error) {
    if (!isUserError(error)) throw error;
    throw new CheckpointError(`${folder}: the policy cannot act on ${observationPath} (${error.message})`, {
      cause: error,
    });
  }
  if (prediction.robotChunk.data.every((action) => Number.isFinite(action))) return prediction;
  throw new CheckpointError(
    `${folder}: expected finite actions, got NaN or infinity, and nothing was written. Look for them in the policy's weights and ` +
      `statistics (reflow doctor ${folder}), and in the observations`,
  );
}

/** What can be seen to be wrong before anything is read. */
function checkRequest({ numSteps, seed, outputPath, observationPath, noisePath }: PredictRequest): void {
  const problems: ConfigProblem[] = [];
  const refuse = (path: string, message: string): void => void problems.push({ path, message });
  if (numSteps !== undefined && numSteps < 1) {
    refuse("--policy.num_steps", `expected a whole number of at least 1, got ${numSteps}`);
  }
  if (seed !== undefined && seed < 0) refuse("--seed", `expected a whole number of at least 0, got ${seed}`);
  if (existsSync(outputPath) && !statSync(outputPath).isFile()) {
    refuse("--output", `expected a file, got a folder or device (${outputPath})`);
  }
  if ([observationPath, noisePath].some((path) => path !== undefined && resolve(path) === resolve(outputPath))) {
    refuse("--output", `expected a file of its own, got one that is read (${outputPath})`);
  }
  if (problems.length > 0) throw new ConfigError("reflow predict", problems);
}

/** @throws CheckpointError if the file holds no noise */
async function readNoiseFile(path: string): Promise<HostArray> {
  const entries = await readSafetensors(path);
  const noise = entries.get("noise");
  if (noise !== undefined) return noise;
  throw new CheckpointError(
    `${path}: expected a tensor "noise", got only ${[...entries.keys()].join(", ") || "nothing"}`,
  );
}

/** What sampling starts from: given noise, or a seed. */
function chooseNoise(
  { noisePath, observationPath, seed = 0 }: PredictRequest,
  given: HostArray | undefined,
  config: SmolVLAConfig,
  batchSize: number,
): { readonly start: Pick<PredictOptions, "noise" | "seed">; readonly where: string } {
  if (given === undefined) return { start: { seed }, where: `drawn from seed ${seed}` };
  const path = noisePath ?? observationPath;
  return { start: { noise: checkNoise(given, config, batchSize, path) }, where: `"noise" in ${path}` };
}

/** One task per observation. */
function tasksFor(given: readonly string[], batchSize: number): readonly string[] {
  if (given.length === batchSize) return given;
  if (given.length <= 1) return Array.from({ length: batchSize }, () => given[0] ?? "");
  throw new ConfigError(
    "--task",
    `expected one task, or one for each of ${batchSize} observations, got ${given.length}`,
  );
}

async function writePrediction(path: string, { chunk, robotChunk }: Prediction): Promise<void> {
  const tensors = { chunk: sourceOf(chunk), robot_chunk: sourceOf(robotChunk) };
  try {
    await makeFolder(dirname(path));
    await writeSafetensors(path, new Map(Object.entries(tensors)));
  } catch (error) {
    throw new ConfigError("--output", `expected a file that can be written, got ${path} (${messageOf(error)})`);
  }
}
