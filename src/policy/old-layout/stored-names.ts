/**
 * Names of tensors in weights files that LeRobot wrote up to version 0.3: statistics of normalisation lie among the weights,
 * and a policy that was compiled when it was saved has `_orig_mod` in its names.
 */

/** What the modules that hold statistics are called there. `observation.state` is a part of the name as `observation_state`. */
export const NORMALIZERS = [
  "normalize_inputs",
  "normalize_targets",
  "unnormalize_outputs",
  "unnormalize_targets",
] as const;
export type Normalizer = (typeof NORMALIZERS)[number];

/** One statistic among the weights, such as `normalize_inputs.so100_buffer_observation_state.mean`. */
export interface StatisticName {
  readonly normalizer: Normalizer;
  /** the kind of dataset whose statistic it is, such as `so100`, in a base policy trained on several */
  readonly tag: string | undefined;
  /** the feature's name with underscores for its dots */
  readonly flatFeature: string;
  readonly stat: string;
}

const STATISTIC = new RegExp(`^(${NORMALIZERS.join("|")})\\.(?:(.+?)_)??buffer_(.+)\\.([^.]+)$`);

/** The parts of a statistic's name; undefined for the name of anything else. */
export function parseStatisticName(stored: string): StatisticName | undefined {
  const [, normalizer, tag, flatFeature, stat] = STATISTIC.exec(stored) ?? [];
  if (flatFeature === undefined || stat === undefined) return undefined;
  return { normalizer: normalizer as Normalizer, tag, flatFeature, stat };
}

/** The name that LeRobot gives a weight now, or undefined for a statistic, which is none. */
export function currentName(stored: string): string | undefined {
  if (parseStatisticName(stored) !== undefined) return undefined;
  return stored
    .split(".")
    .filter((part) => part !== "_orig_mod")
    .join(".");
}
