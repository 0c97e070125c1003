import { ConfigError, DatasetError } from "../support/errors.js";

/** What a policy reads and writes, feature by feature: LeRobot's names for kinds of features and their normalisation. */

export const FEATURE_TYPES = ["STATE", "VISUAL", "ENV", "ACTION", "REWARD", "LANGUAGE"] as const;
export type FeatureType = (typeof FEATURE_TYPES)[number];

export const NORMALIZATION_MODES = ["MIN_MAX", "MEAN_STD", "IDENTITY", "QUANTILES", "QUANTILE10"] as const;
export type NormalizationMode = (typeof NORMALIZATION_MODES)[number];

export interface PolicyFeature {
  readonly type: FeatureType;
  /** of one time step, without batch axis; images are channel-first */
  readonly shape: readonly number[];
}

/** By name, in the order in which the network reads them. */
export type PolicyFeatures = Readonly<Record<string, PolicyFeature>>;

/** The part of a dataset's `info.json` features that decides what a policy can read. */
export interface DatasetFeature {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly names?: unknown;
}

function imageShape(name: string, feature: DatasetFeature): readonly number[] {
  const [height, width, channels] = feature.shape;
  if (feature.shape.length !== 3 || height === undefined || width === undefined || channels === undefined) {
    throw new DatasetError(`feature "${name}": expected an image shape of 3 sizes, got [${feature.shape.join(", ")}]`);
  }
  if (!Array.isArray(feature.names) || feature.names.length !== 3) {
    throw new DatasetError(
      `feature "${name}": expected the names of its 3 axes, such as ["height", "width", "channels"], got ${JSON.stringify(feature.names)}`,
    );
  }
  const isChannelLast = feature.names[2] === "channels" || feature.names[2] === "channel";
  return isChannelLast ? [channels, height, width] : feature.shape;
}

/**
 * What a policy can use of a dataset: images and videos are VISUAL (turned channel-first), `observation.environment_state`
 * is ENV, other names that start with "observation" are STATE, names that start with "action" are ACTION. The rest
 * (indices, timestamps) is left out.
 *
 * @throws DatasetError for an image without three named axes
 */
export function featuresFromDataset(features: Readonly<Record<string, DatasetFeature>>): PolicyFeatures {
  const found: Record<string, PolicyFeature> = {};
  for (const [name, feature] of Object.entries(features)) {
    if (feature.dtype === "image" || feature.dtype === "video") {
      found[name] = { type: "VISUAL", shape: imageShape(name, feature) };
    } else if (name === "observation.environment_state") found[name] = { type: "ENV", shape: feature.shape };
    else if (name.startsWith("observation")) found[name] = { type: "STATE", shape: feature.shape };
    else if (name.startsWith("action")) found[name] = { type: "ACTION", shape: feature.shape };
  }
  return found;
}

/** Names of the cameras, in the order in which the network reads them. */
export const imageFeatureNames = (config: { readonly inputFeatures: PolicyFeatures }): readonly string[] =>
  Object.entries(config.inputFeatures)
    .filter(([, feature]) => feature.type === "VISUAL")
    .map(([name]) => name);

function widthOf(features: PolicyFeatures, name: string, type: FeatureType, place: string): number {
  const feature = features[name];
  const width = feature?.shape[0];
  if (feature?.type !== type || feature.shape.length !== 1 || width === undefined) {
    throw new ConfigError("policy config", [
      {
        path: place,
        message: `expected the feature "${name}" of type ${type} with one size, got ${JSON.stringify(feature) ?? "none"}`,
      },
    ]);
  }
  return width;
}

/** The real number of action dimensions, before padding. @throws ConfigError if the policy has no "action" output */
export const actionDim = (config: { readonly outputFeatures: PolicyFeatures }): number =>
  widthOf(config.outputFeatures, "action", "ACTION", "output_features");

/** The real number of state dimensions, before padding. @throws ConfigError if it has no "observation.state" input */
export const stateDim = (config: { readonly inputFeatures: PolicyFeatures }): number =>
  widthOf(config.inputFeatures, "observation.state", "STATE", "input_features");
