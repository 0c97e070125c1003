import {
  checkIdentity,
  type IdentityTerms,
  meanOf,
  measureStraightness,
  quantile,
  transportCosts,
  type VelocityDeviation,
} from "../../eval/index.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import type { FlowPaths, FlowShape } from "../comparison.js";
import { cropLast } from "./host-rows.js";
import type { MeasuredFlow } from "./measure-flow.js";

/**
 * How a flow runs, from what was measured of it.
 *
 * @param noise float32 `[O * K, A, M]`, from which it was measured
 */
export function flowShape(policy: string, measured: MeasuredFlow, noise: HostArray, paths: FlowPaths): FlowShape {
  const { shapes, initialDeltas, drawnCosts } = measured;
  return {
    policy,
    ...measureStraightness(shapes, meanOf(drawnCosts)),
    initialVelocityDelta: meanOf(initialDeltas)!,
    identity: identityOf(measured, noise),
    velocityDeviation: deviationByTime(measured.deviations),
    paths,
  };
}

/** The check of the loss on the pairs that the flow was trained on; undefined if those are not known. */
function identityOf(
  { shapes, samples, trainedLosses, trainedCosts }: MeasuredFlow,
  noise: HostArray,
): FlowShape["identity"] {
  const [loss, costBefore] = [meanOf(trainedLosses), meanOf(trainedCosts)];
  if (loss === undefined || costBefore === undefined) return undefined;
  const { shape, data } = samples.converged;
  const reached = hostArray("float32", [noise.shape[0]!, ...shape.slice(2)], data);
  const terms: IdentityTerms = {
    loss,
    straightness: meanOf(shapes.map(({ deviation }) => deviation))!,
    costBefore,
    costAfter: meanOf(transportCosts(cropLast(noise, shape.at(-1)!), reached))!,
  };
  return { ...terms, ...checkIdentity(terms) };
}

/** Mean and range over paths, by time. */
function deviationByTime(deviations: readonly (readonly number[])[]): VelocityDeviation[] {
  const numSteps = deviations[0]!.length;
  return Array.from({ length: numSteps }, (_, step) => {
    const values = deviations.map((path) => path[step]!);
    return {
      time: 1 - step / numSteps,
      mean: meanOf(values)!,
      low: quantile(values, 0.1),
      high: quantile(values, 0.9),
    };
  });
}
