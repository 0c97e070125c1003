/** Optimizer, schedule, step and random state as LeRobot 0.4 keeps them in `training_state/`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { AdamW, Ema, Moments } from "../optim/index.js";
import { currentName } from "../policy/old-layout/stored-names.js";
import { toCheckpointName } from "../smolvla/checkpoint-names.js";
import { WEIGHTS_FILE } from "../smolvla/load.js";
import type { SmolVLA } from "../smolvla/smolvla.js";
import { writeFileAtomically } from "../support/atomic-file.js";
import { CheckpointError, ShapeError } from "../support/errors.js";
import { type HostArray, hostArray } from "../support/host-array.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { PythonFloat, stringifyAsPython } from "../support/python-json.js";
import { readJson } from "../support/read-json.js";
import { type SafetensorsSource, sourceOf, writeSafetensors } from "../support/safetensors.js";
import {
  all,
  detach,
  disposeAll,
  Generator,
  isfinite,
  mapSafetensors,
  noGrad,
  scope,
  type Tensor,
  tensorSource,
} from "../torch/index.js";
import type { OptimizerSettings } from "./config.js";
import { numpyState, pythonState } from "./mersenne-twister.js";

const STEP_FILE = "training_step.json";
const OPTIMIZER_FILE = "optimizer_state.safetensors";
const GROUPS_FILE = "optimizer_param_groups.json";
const SCHEDULER_FILE = "scheduler_state.json";
const RANDOM_FILE = "rng_state.safetensors";
/** Ours: what is trained, where the policy beside it holds something else: the average of it, or an adapter's merged weights. */
const TRAINED_WEIGHTS_FILE = "reflow_trained_weights.safetensors";
/** Ours: the average of an adapter, of which the policy holds the merged weights. */
const AVERAGED_WEIGHTS_FILE = "reflow_averaged_weights.safetensors";

export interface TrainingState {
  /** steps done */
  readonly step: number;
  readonly optimizer: AdamW;
  readonly settings: OptimizerSettings;
  /** of the next step */
  readonly learningRate: number;
  readonly seed: number;
  readonly model: SmolVLA;
  /** whose averages the policy beside it holds; undefined if it holds the trained weights themselves */
  readonly ema: Ema | undefined;
}

/** Writes all files of a training state into a folder that exists. */
export async function writeTrainingState(folder: string, state: TrainingState): Promise<void> {
  const writeJson = (file: string, json: unknown): Promise<void> =>
    writeFileAtomically(join(folder, file), stringifyAsPython(json, 4));
  await writeJson(STEP_FILE, { step: state.step });
  await writeSafetensors(join(folder, OPTIMIZER_FILE), optimizerTensors(state));
  await writeJson(GROUPS_FILE, [parameterGroup(state)]);
  await writeJson(SCHEDULER_FILE, schedulerState(state));
  await writeSafetensors(join(folder, RANDOM_FILE), randomState(state.seed));
  const { ema, optimizer, model } = state;
  const hasAdapter = model.adapter !== undefined;
  if (ema || hasAdapter) await writeSafetensors(join(folder, TRAINED_WEIGHTS_FILE), published(optimizer.masters()));
  if (ema && hasAdapter) await writeSafetensors(join(folder, AVERAGED_WEIGHTS_FILE), published(ema.shadows()));
}

/** LeRobot's numbers of all parameters, trained or not, by our names: their places in the network. */
const numbersOf = (model: SmolVLA): ReadonlyMap<string, number> =>
  new Map(Array.from(model.namedParameters(), ([name], i) => [name, i]));

function optimizerTensors(state: TrainingState): Map<string, SafetensorsSource> {
  const numbers = numbersOf(state.model);
  const step: HostArray = hostArray("float32", [], Float32Array.of(state.optimizer.numUpdates));
  const tensors = new Map<string, SafetensorsSource>();
  for (const [name, { expAvg, expAvgSq }] of state.optimizer.moments()) {
    const key = `state/${numbers.get(name)}`;
    tensors.set(`${key}/step`, sourceOf(step));
    tensors.set(`${key}/exp_avg`, tensorSource(expAvg));
    tensors.set(`${key}/exp_avg_sq`, tensorSource(expAvgSq));
  }
  return tensors;
}

const published = (tensors: ReadonlyMap<string, Tensor>): Map<string, SafetensorsSource> =>
  new Map([...tensors].map(([name, tensor]) => [toCheckpointName(name), tensorSource(tensor)]));

const parameterGroup = ({ settings, learningRate, model }: TrainingState): unknown => ({
  lr: new PythonFloat(learningRate),
  betas: settings.betas.map((beta) => new PythonFloat(beta)),
  eps: new PythonFloat(settings.eps),
  weight_decay: new PythonFloat(settings.weightDecay),
  amsgrad: false,
  maximize: false,
  foreach: null,
  capturable: false,
  differentiable: false,
  fused: null,
  decoupled_weight_decay: true,
  initial_lr: new PythonFloat(settings.lr),
  params: [...numbersOf(model).values()],
});

const schedulerState = ({ step, settings, learningRate }: TrainingState): unknown => ({
  base_lrs: [new PythonFloat(settings.lr)],
  last_epoch: step,
  _step_count: step + 1,
  _is_initial: false,
  _get_lr_called_within_step: false,
  _last_lr: [new PythonFloat(learningRate)],
  lr_lambdas: [null],
});

/**
 * The state of the random generators that LeRobot restores, as if freshly seeded. This program needs none of it: what it
 * draws at a step depends on the seed and the step alone.
 */
function randomState(seed: number): Map<string, SafetensorsSource> {
  using generator = new Generator(seed);
  using state = generator.state;
  const int64 = (values: readonly number[]): SafetensorsSource =>
    sourceOf(hostArray("int64", [values.length], BigInt64Array.from(values, BigInt)));
  return new Map([
    ["py_rng_version", int64([3])],
    ["py_rng_state", int64(pythonState(seed))],
    ["np_rng_state_values", int64(numpyState(seed).slice(0, 624))],
    ["np_rng_state_index", int64([624])],
    ["np_rng_has_gauss", int64([0])],
    ["np_rng_cached_gaussian", sourceOf(hostArray("float32", [1], Float32Array.of(0)))],
    ["torch_rng_state", sourceOf(state.toHost())],
  ]);
}

export interface RestoredState {
  /** steps done */
  readonly step: number;
  /**
   * Trained parameters without saved moments, whose moments begin at 0. LeRobot saves none for what never had a gradient:
   * what has no part in the loss, and what was not trained so far.
   */
  readonly withoutMoments: readonly string[];
}

/**
 * Puts an optimizer that has made no update back to where a checkpoint left it: weights, moments, number of updates. An
 * average of the weights goes on where it was; in a run that had none it begins at the weights.
 *
 * @param folders of the checkpoint: its policy and its training state
 * @throws CheckpointError naming the file, or the folder and the parameter whose saved values are missing or do not fit
 */
export async function restoreTrainingState(
  folders: { readonly policy: string; readonly state: string },
  optimizer: AdamW,
  model: SmolVLA,
  ema?: Ema,
): Promise<RestoredState> {
  const step = await readTrainingStep(folders.state);
  const mapIfThere = (file: string) =>
    existsSync(join(folders.state, file)) ? mapSafetensors(join(folders.state, file)) : undefined;
  const policyWeights = await mapSafetensors(join(folders.policy, WEIGHTS_FILE));
  const trained = await mapIfThere(TRAINED_WEIGHTS_FILE);
  const averaged = await mapIfThere(AVERAGED_WEIGHTS_FILE);
  const states = await mapSafetensors(join(folders.state, OPTIMIZER_FILE));
  const numbers = numbersOf(model);
  const saved = (name: string, part: string): Tensor | undefined => states.get(`state/${numbers.get(name)}/${part}`);
  try {
    const fresh = optimizer.moments();
    const moments = [...fresh].map(([name, { expAvg, expAvgSq }]): [string, Moments] => [
      name,
      { expAvg: saved(name, "exp_avg") ?? expAvg, expAvgSq: saved(name, "exp_avg_sq") ?? expAvgSq },
    ]);
    const [, numUpdates] = [...states].find(([key]) => key.endsWith("/step")) ?? [];
    optimizer.restore(
      expectCount(numUpdates?.item() ?? 0),
      mastersIn(trained ?? policyWeights, [...fresh.keys()]),
      new Map(moments),
    );
    expectFinite(optimizer);
    const wasAveraged = trained !== undefined && (averaged !== undefined || model.adapter === undefined);
    if (wasAveraged) ema?.load(optimizer.numUpdates, mastersIn(averaged ?? policyWeights, [...fresh.keys()]));
    else ema?.load(0, optimizer.masters());
    return { step, withoutMoments: [...fresh.keys()].filter((name) => saved(name, "exp_avg") === undefined) };
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new CheckpointError(
      `${folders.state}: cannot be continued from (${error.message}). Earlier checkpoints may be good`,
      { cause: error },
    );
  } finally {
    disposeAll([policyWeights, states, trained, averaged]);
  }
}

function expectCount(numUpdates: number): number {
  if (Number.isSafeInteger(numUpdates) && numUpdates >= 0) return numUpdates;
  throw new ShapeError(`optim.restore: expected a number of updates, got ${numUpdates}`);
}

/** Whoever goes on from NaN finds out at the first loss, and not why. */
function expectFinite(optimizer: AdamW): void {
  const holdsNumbers = (tensor: Tensor): boolean =>
    scope(() => noGrad(() => all(isfinite(detach(tensor))).item() === 1));
  const expectOf = (name: string, what: string, tensor: Tensor): void => {
    if (holdsNumbers(tensor)) return;
    throw new ShapeError(`optim.restore: expected ${what} of "${name}" in finite numbers, got NaN or infinity`);
  };
  for (const [name, master] of optimizer.masters()) expectOf(name, "the value", master);
  for (const [name, { expAvg, expAvgSq }] of optimizer.moments()) {
    expectOf(name, "the first moment", expAvg);
    expectOf(name, "the second moment", expAvgSq);
  }
}

/**
 * Lets an optimizer begin at the values of a policy's file. A parameter that is computed with in lower precision was
 * rounded when it was loaded; its master need not be. An adapter's corrections, which no policy's file has, begin as they are.
 */
export async function beginAtSavedWeights(policyFolder: string, optimizer: AdamW): Promise<void> {
  const stored = await mapSafetensors(join(policyFolder, WEIGHTS_FILE));
  try {
    const moments = optimizer.moments();
    const weights = new Map([...stored].flatMap(([name, tensor]) => [[currentName(name) ?? name, tensor] as const]));
    const corrections = [...optimizer.masters()].filter(([name]) => name.includes(".lora."));
    const masters = new Map([...corrections, ...mastersIn(weights, [...moments.keys()])]);
    optimizer.restore(0, masters, moments);
  } finally {
    disposeAll(stored);
  }
}

/** By our names; those that the file lacks are left out, and the optimizer complains. */
const mastersIn = (weights: ReadonlyMap<string, Tensor>, names: readonly string[]): Map<string, Tensor> =>
  new Map(
    names.flatMap((name) => {
      const tensor = weights.get(toCheckpointName(name));
      return tensor === undefined ? [] : [[name, tensor] as const];
    }),
  );

/** Steps done, from a checkpoint's `training_state/`; later versions of LeRobot write more into that file. */
async function readTrainingStep(folder: string): Promise<number> {
  const path = join(folder, STEP_FILE);
  const json = await readJson(path, "A checkpoint to resume from holds pretrained_model/ and training_state/");
  return parseWithSchema(z.looseObject({ step: z.int().min(0) }), json, path).step;
}
