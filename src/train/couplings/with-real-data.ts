import { checkInversion, heun, holdPadding, invert, snap, solve, uniformGrid } from "../../flow/index.js";
import { toTargetActions } from "../../policy/model-input.js";
import { actionDim } from "../../smolvla/config.js";
import type { Context } from "../../smolvla/vision-language-model.js";
import { ShapeError } from "../../support/errors.js";
import {
  cat,
  empty,
  type Generator,
  indexSelect,
  logicalAnd,
  noGrad,
  onesLike,
  repeatInterleave,
  reshape,
  scope,
  slice,
  type Tensor,
  tensor,
  tensorFromHost,
  toDevice,
  toDtype,
  uniform_,
  where,
} from "../../torch/index.js";
import type { ReflowSettings } from "../config.js";
import type { TrainingBatch } from "../objectives/objective.js";
import type { Coupling, Pairs } from "./coupling.js";
import { shareOf } from "./share-of.js";
import { type TeacherOptions, teacherField } from "./teacher.js";

/** Demonstrated chunks beside a batch's pairs, each observation's N times in a row. */
interface Demonstrated {
  /** `[B * N, A, M]`, 0 in padded dimensions */
  readonly actions: Tensor;
  /** bool `[B * N, A]` */
  readonly isPad: Tensor;
  /** which samples demonstrations are used for, bool `[B * N]` */
  readonly isChosen: Tensor;
  readonly chosen: readonly number[];
}

/**
 * Lets demonstrations into a share of the pairs, which keeps repeated rounds from drifting away from real data:
 *
 * - `demonstrations`: the sample's actions are the demonstrated ones and its noise stays, which has nothing to do with them:
 *   ordinary flow matching beside the pairs, the remedy for collapse of arXiv:2412.08175;
 * - `snap`: a pair whose actions are near the demonstration takes its actions (SeFA-Policy, arXiv:2511.08583);
 * - `inverted`: the demonstrated actions, with the noise that the teacher's flow carries them back to, if that could have
 *   been drawn and leads to them again (2-RF++, arXiv:2405.20320). Others keep their generated pair.
 */
export function withRealData(inner: Coupling, real: ReflowSettings["real"], teacher: TeacherOptions): Coupling {
  const use = { demonstrations: independent, snap: snapped, inverted }[real.kind];
  return {
    numNoises: inner.numNoises,
    couple: (batch, context, generator) => {
      const pairs = inner.couple(batch, context, generator);
      const demonstrated = demonstrationsOf(batch, inner.numNoises, real.share, teacher, generator);
      return noGrad(() => use(pairs, demonstrated, { batch, context, real, teacher }));
    },
    dispose: () => inner.dispose(),
  };
}

interface Situation {
  readonly batch: TrainingBatch;
  readonly context: Context | undefined;
  readonly real: ReflowSettings["real"];
  readonly teacher: TeacherOptions;
}

function demonstrationsOf(
  batch: TrainingBatch,
  numNoises: number,
  share: number,
  { config, device }: TeacherOptions,
  generator: Generator,
): Demonstrated {
  const padding = batch.arrays.action_is_pad;
  if (padding === undefined) {
    throw new ShapeError('reflow.real: expected "action_is_pad" beside the actions of the dataset, got none');
  }
  const draws = uniform_(empty([batch.tasks.length * numNoises], "float64"), 0, 1, generator).toNumbers();
  const chosen = draws.flatMap((u, i) => (u < share ? [i] : []));
  return scope(() => ({
    actions: repeatInterleave(toTargetActions(batch.arrays, config, device), numNoises, 0),
    isPad: repeatInterleave(toDtype(toDevice(tensorFromHost(padding), device), "bool"), numNoises, 0),
    isChosen: toDevice(toDtype(tensor(draws.map((u) => (u < share ? 1 : 0))), "bool"), device),
    chosen,
  }));
}

const perEntry = (isChosen: Tensor): Tensor => reshape(isChosen, [-1, 1, 1]);

/** Weights of pairs, but 1 for those that were replaced: what was wrong with the pair is gone with it. */
const countAgain = (weights: Tensor | undefined, isReplaced: Tensor): Tensor | undefined =>
  weights && where(isReplaced, onesLike(weights), weights);

function independent(pairs: Pairs, { actions, isPad, isChosen }: Demonstrated): Pairs {
  return scope(() => ({
    ...pairs,
    actions: where(perEntry(isChosen), actions, pairs.actions),
    weights: countAgain(pairs.weights, isChosen),
    isIndependent: isChosen,
    isPad: logicalAnd(isPad, reshape(isChosen, [-1, 1])),
  }));
}

function snapped(pairs: Pairs, demonstrated: Demonstrated, { real, teacher }: Situation): Pairs {
  return scope(() => {
    const { actions, isSnapped } = snap({
      generated: pairs.actions,
      demonstrated: demonstrated.actions,
      isPad: demonstrated.isPad,
      numReal: actionDim(teacher.config),
      epsilon: real.snapDistance,
    });
    const { isChosen, chosen } = demonstrated;
    const snaps = toDtype(logicalAnd(isSnapped, isChosen), "float32").toNumbers();
    return {
      ...pairs,
      actions: where(perEntry(isChosen), actions, pairs.actions),
      figures: [...(pairs.figures ?? []), shareOf("snapped", snaps, chosen.length)],
    };
  });
}

function inverted(pairs: Pairs, demonstrated: Demonstrated, situation: Situation): Pairs {
  const { chosen } = demonstrated;
  if (chosen.length === 0) return pairs;
  return scope(() => {
    const { noise, isAccepted } = invertRows(pairs.noise, demonstrated, situation);
    const accepted = Array.from({ length: pairs.noise.size(0) }, (_, i) => (isAccepted.has(i) ? 1 : 0));
    const isReplaced = toDevice(toDtype(tensor(accepted), "bool"), pairs.noise.device);
    return {
      ...pairs,
      noise: where(perEntry(isReplaced), noise, pairs.noise),
      actions: where(perEntry(isReplaced), demonstrated.actions, pairs.actions),
      weights: countAgain(pairs.weights, isReplaced),
      isPad: logicalAnd(demonstrated.isPad, reshape(isReplaced, [-1, 1])),
      figures: [...(pairs.figures ?? []), shareOf("inverted", accepted, chosen.length)],
    };
  });
}

/** Noises of the chosen demonstrations, in their places among all rows, and the rows where they may be used. */
function invertRows(
  noise: Tensor,
  { actions, chosen }: Demonstrated,
  { batch, context, real, teacher }: Situation,
): { noise: Tensor; isAccepted: ReadonlySet<number> } {
  const [numReal, width] = [actionDim(teacher.config), teacher.config.maxActionDim];
  const rows = toDevice(tensor([...chosen], [chosen.length], "int64"), noise.device);
  const [ownNoise, demonstrations] = [
    indexSelect(noise, 0, rows),
    slice(indexSelect(actions, 0, rows), -1, 0, numReal),
  ];
  const full = teacherField(teacher, batch, context, rows);
  const field = numReal === width ? full : holdPadding(full, ownNoise, numReal);
  const found = invert(heun, field, demonstrations, real.inversionSteps);
  const restored = solve(heun, field, found, real.inversionSteps, uniformGrid);
  const checks = checkInversion({ noise: found, actions: demonstrations, restored, maxError: real.inversionError });
  const isAccepted = new Set(chosen.filter((_, i) => checks[i]!.isAccepted));
  const complete = numReal === width ? found : cat([found, slice(ownNoise, -1, numReal, width)], -1);
  return { noise: placeRows(complete, chosen, noise), isAccepted };
}

/** Rows at their places in a tensor like another, whose other rows stand elsewhere. */
function placeRows(rows: Tensor, places: readonly number[], like: Tensor): Tensor {
  const order = Array.from({ length: like.size(0) }, (_, i) => {
    const place = places.indexOf(i);
    return place < 0 ? places.length + i : place;
  });
  return indexSelect(cat([rows, like], 0), 0, toDevice(tensor(order, [order.length], "int64"), like.device));
}
