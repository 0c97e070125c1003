import { ConfigError } from "../../support/errors.js";
import { meanOf } from "../statistics/mean-of.js";
import type { PathShape } from "./path-shapes.js";

/** How straight the paths of a flow are; squares are means over the entries of a chunk. */
export interface Straightness {
  /** `S = E mean over steps of |u - D|^2` with `D = noise - actions` of the path; 0 exactly if one Euler step is exact */
  readonly straightness: number;
  /** `E|D|^2`, the transport cost of the flow: must not rise from one reflow to the next */
  readonly cost: number;
  /** `E mean over steps of |u|^2 = straightness + cost`, the energy of the paths */
  readonly energy: number;
  /** `S / E|D|^2`, over the flow's own displacement. May exceed 1; undefined for a flow that moves nothing */
  readonly perFlowCost: number | undefined;
  /** `S / E|noise - a|^2`, over the displacement of independently drawn noise and actions, which is the larger one */
  readonly perDrawnCost: number | undefined;
  /** `E length / E|D|`, at least 1. A ratio of means, as the mean of ratios has no limit where a path ends near its start */
  readonly lengthRatio: number | undefined;
  /** mean angle between u and D in degrees, over the paths that have one: does not see changes of speed, 0 to 180 */
  readonly angleDegrees: number | undefined;
}

/** Below this share of the energy a cost is the rounding of float32. */
const NO_COST = 1e-12;

/**
 * Averages the shapes of paths.
 *
 * A small share "of curvature" is no small loss: noise dominates the displacement of a chunk. For actions that scatter by 0.1
 * around a mean of size 1, `perFlowCost` is 2.4 % while one Euler step loses all of the scatter. Say which denominator was
 * used, and read `Agreement.noiseExplained` beside it.
 *
 * @param paths of one or more traces
 * @param drawnCost `E|noise - a|^2` per entry of noise and independent demonstrations, the mean of `transportCosts`
 * @throws ConfigError for no paths and for a cost below 0
 *
 * Reference: Liu et al. 2022, arXiv:2209.03003, section 3 (straightness); the other measures are customary.
 */
export function measureStraightness(paths: readonly PathShape[], drawnCost?: number): Straightness {
  const where = "eval.measureStraightness";
  if (paths.length === 0) throw new ConfigError(where, "expected at least one path, got none");
  if (drawnCost !== undefined && !(drawnCost >= 0 && Number.isFinite(drawnCost))) {
    throw new ConfigError(where, `expected drawnCost to be a number of at least 0, got ${drawnCost}`);
  }
  const mean = (part: (path: PathShape) => number): number => meanOf(paths.map(part))!;
  const [straightness, cost, energy] = [mean((p) => p.deviation), mean((p) => p.cost), mean((p) => p.energy)];
  const isMoving = cost > NO_COST * energy;
  return {
    straightness,
    cost,
    energy,
    perFlowCost: isMoving ? straightness / cost : undefined,
    perDrawnCost: drawnCost ? straightness / drawnCost : undefined,
    lengthRatio: isMoving ? mean((p) => p.length) / mean((p) => Math.sqrt(p.cost)) : undefined,
    angleDegrees: meanOf(paths.flatMap(({ angleDegrees }) => angleDegrees ?? [])),
  };
}
