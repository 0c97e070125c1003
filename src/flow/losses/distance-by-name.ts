import { ConfigError } from "../../support/errors.js";
import { didYouMean } from "../../support/nearest-name.js";
import { makeAdaptive } from "./adaptive.js";
import { l2 } from "./l2.js";
import { makePseudoHuber } from "./pseudo-huber.js";
import type { VelocityDistance } from "./velocity-distance.js";

/** A distance's name and the parameters of all distances; a distance reads its own. */
export interface DistanceSettings {
  /** `l2`, `pseudo_huber` or `adaptive` */
  readonly kind: string;
  /** c of `pseudo_huber`, above 0; 0.00054 times the number of active entries if left out or null */
  readonly huberC?: number | null;
  /** p of `adaptive`, from 0 to 1; 1 if left out */
  readonly adaptivePower?: number;
  /** c of `adaptive`, above 0; 0.001 if left out */
  readonly adaptiveC?: number;
}

const MAKERS: Readonly<Record<string, (settings: DistanceSettings) => VelocityDistance>> = {
  l2: () => l2,
  pseudo_huber: ({ huberC }) => makePseudoHuber(huberC ?? undefined),
  adaptive: ({ adaptivePower, adaptiveC }) => makeAdaptive(adaptivePower, adaptiveC),
};

/** The names of the distances there are. */
export const DISTANCE_NAMES: readonly string[] = Object.keys(MAKERS);

/**
 * The distance that settings describe.
 *
 * @throws ConfigError for a distance that does not exist, and for a parameter of this distance out of its range
 */
export function velocityDistance(settings: DistanceSettings): VelocityDistance {
  const { kind } = settings;
  if (Object.hasOwn(MAKERS, kind)) return MAKERS[kind]!(settings);
  throw new ConfigError(
    "flow.distance",
    `expected one of ${DISTANCE_NAMES.join(", ")}, got "${kind}"${didYouMean(kind, DISTANCE_NAMES)}`,
  );
}
