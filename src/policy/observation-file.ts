/**
 * Observations as a file gives them, checked against the policy that is to see them: what would otherwise fail deep in the
 * network, or not fail and give wrong actions, is refused here in the file's own words.
 *
 * Letters: `B` batch, `A` action steps, `M` padded action dimensions, `S` state dimensions.
 */
import { actionDim, imageFeatureNames, type SmolVLAConfig, stateDim } from "../smolvla/config.js";
import { ShapeError } from "../support/errors.js";
import { type HostArray, hostArray, numbersOf } from "../support/host-array.js";
import { toFloat32 } from "./processors/statistics.js";
import type { SmolVLAPolicy } from "./smolvla-policy.js";

/** What of a policy decides which observations it takes. */
export type ObservedPolicy = Pick<SmolVLAPolicy, "config" | "processors">;

export interface CheckedObservation {
  /** state, cameras and their padding masks, all with a batch axis; everything else in the file is left out */
  readonly arrays: Readonly<Record<string, HostArray>>;
  /** B */
  readonly batchSize: number;
  /** cameras that are used, by their names in the file */
  readonly cameras: readonly string[];
  /** what is unusual but works, as sentences */
  readonly warnings: readonly string[];
}

/** Cameras that a policy has for padding only; nobody has pictures for them. */
const isEmptyCamera = (name: string): boolean => /^observation\.images\.empty_camera_\d+$/.test(name);

const isCameraLike = (name: string): boolean =>
  /^observation\.images?(\.|$)/.test(name) && !name.endsWith("_is_pad") && !name.endsWith("_padding_mask");

const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

/**
 * The part of a file that a policy needs. A single observation (state `[S]`, images `[3, height, width]`) becomes a batch
 * of one.
 *
 * @param entries by LeRobot's names, before the policy's own renaming: `observation.state` `[B, S]` or `[B, 1, S]`, cameras
 *   `[B, 3, height, width]` or `[B, 1, 3, height, width]`, uint8 or float in [0, 1]
 * @param where the file's path, or what else the user knows the entries by
 * @throws ShapeError naming the entry, for anything that is missing or does not fit
 */
export function checkObservation(
  entries: ReadonlyMap<string, HostArray>,
  { config, processors }: ObservedPolicy,
  where: string,
): CheckedObservation {
  const rename = processors.preprocessor.steps.find((step) => step.kind === "rename_observations_processor");
  const nameForPolicy = (name: string): string => rename?.renameMap[name] ?? name;
  const names = [...entries.keys()];

  const stateName = names.find((name) => nameForPolicy(name) === "observation.state");
  if (stateName === undefined) {
    throw new ShapeError(`${where}: expected "observation.state", got only ${names.join(", ") || "nothing"}`);
  }
  const known = imageFeatureNames(config);
  const cameras = names.filter((name) => known.includes(nameForPolicy(name)));
  const unknown = names.filter((name) => isCameraLike(name) && !cameras.includes(name));
  const warnings = checkCameras(known, { used: cameras.map(nameForPolicy), inFile: [...cameras, ...unknown] }, where);

  const arrays: Record<string, HostArray> = {
    [stateName]: checkState(entries.get(stateName)!, stateDim(config), `${where}: "${stateName}"`),
  };
  for (const name of cameras) arrays[name] = checkImages(entries.get(name)!, `${where}: "${name}"`);
  const masks = known.map((name) => `${name}_padding_mask`).filter((name) => entries.has(name));
  for (const name of masks) arrays[name] = checkMask(entries.get(name)!, `${where}: "${name}"`);

  const sizes = Object.entries(arrays).map(([name, array]) => ({ name, size: array.shape[0] }));
  const batchSize = sizes[0]!.size!;
  if (sizes.some(({ size }) => size !== batchSize)) {
    const got = sizes.map(({ name, size }) => `${size ?? "none"} in ${name}`).join(", ");
    throw new ShapeError(`${where}: expected the same number of observations in all entries, got ${got}`);
  }
  if (batchSize === 0) throw new ShapeError(`${where}: expected at least one observation, got none`);
  return { arrays, batchSize, cameras, warnings };
}

/**
 * Cameras beyond the policy's are passed over, as LeRobot does, but not while one of the policy's is missing: it is then
 * more likely misnamed than absent.
 */
function checkCameras(
  known: readonly string[],
  { used, inFile }: { readonly used: readonly string[]; readonly inFile: readonly string[] },
  where: string,
): string[] {
  const expected = known.filter((name) => !isEmptyCamera(name));
  const missing = expected.filter((name) => !used.includes(name));
  if (missing.length === 0) return [];
  if (used.length === 0 || inFile.length > used.length) {
    throw new ShapeError(
      `${where}: expected the policy's cameras ${expected.join(", ")}, got ${inFile.join(", ") || "none"}. ` +
        "Name them as the policy does",
    );
  }
  return [
    `${where} has no ${missing.join(" and no ")}, which the policy was trained with: it sees less than it is used to`,
  ];
}

/** @returns `[B, S]` or `[B, 1, S]` */
function checkState(state: HostArray, S: number, where: string): HostArray {
  const { dtype, shape } = state;
  const isSteps = shape.length === 3 && shape[1] === 1;
  if (shape.at(-1) !== S || !(shape.length === 1 || shape.length === 2 || isSteps)) {
    throw new ShapeError(`${where}: expected [B, ${S}] or [B, 1, ${S}], got ${shapeText(shape)}`);
  }
  if (dtype === "float16" || dtype === "bfloat16" || dtype === "bool") {
    throw new ShapeError(`${where}: expected float32, got ${dtype}`);
  }
  const bad = numbersOf(state).findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const value = (state.data as Float32Array)[bad]!;
    throw new ShapeError(`${where}: expected finite numbers, got ${value} at [${Math.floor(bad / S)}, ${bad % S}]`);
  }
  return shape.length === 1 ? hostArray(dtype, [1, S], state.data) : state;
}

/** @returns `[B]`, true or not 0 where there is a picture */
function checkMask(mask: HostArray, where: string): HostArray {
  if (mask.shape.length === 1) return mask;
  throw new ShapeError(`${where}: expected [B], one entry for each observation, got ${shapeText(mask.shape)}`);
}

/** How far rounding and resizing may carry a pixel out of [0, 1]. */
const PIXEL_TOLERANCE = 1e-3;

/** @returns `[B, 3, height, width]` or `[B, 1, 3, height, width]` */
function checkImages(images: HostArray, where: string): HostArray {
  const { dtype, shape } = images;
  const isSteps = shape.length === 5 && shape[1] === 1;
  if (shape.at(-3) !== 3 || !(shape.length === 3 || shape.length === 4 || isSteps)) {
    const advice = shape.at(-1) === 3 ? ". Move the channels before height and width" : "";
    throw new ShapeError(`${where}: expected [B, 3, height, width], got ${shapeText(shape)}${advice}`);
  }
  if (shape.at(-2) === 0 || shape.at(-1) === 0) {
    throw new ShapeError(`${where}: expected pictures of at least one pixel, got ${shapeText(shape)}`);
  }
  if (dtype !== "uint8") checkUnitRange(images, where);
  return shape.length === 3 ? hostArray(dtype, [1, ...shape], images.data) : images;
}

function checkUnitRange({ dtype, data }: HostArray, where: string): void {
  if (dtype !== "float32" && dtype !== "float64") {
    throw new ShapeError(`${where}: expected uint8, or float32 in [0, 1], got ${dtype}`);
  }
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data as Float32Array) {
    if (Number.isNaN(value)) throw new ShapeError(`${where}: expected float images in [0, 1], got NaN among them`);
    if (value < lowest) lowest = value;
    if (value > highest) highest = value;
  }
  if (data.length === 0 || (lowest >= -PIXEL_TOLERANCE && highest <= 1 + PIXEL_TOLERANCE)) return;
  throw new ShapeError(
    `${where}: expected float images in [0, 1], got values from ${lowest} to ${highest}. ` +
      "Divide by 255, or store the images as uint8",
  );
}

/**
 * Given noise as a policy takes it.
 *
 * @returns float32 `[B, A, M]`
 * @throws ShapeError if it is narrower than the network, for another number of observations, or not finite
 */
export function checkNoise(noise: HostArray, config: SmolVLAConfig, batchSize: number, where: string): HostArray {
  const expected = [batchSize, config.chunkSize, config.maxActionDim];
  if (noise.shape.join() !== expected.join()) {
    throw new ShapeError(
      `${where}: expected noise of shape ${shapeText(expected)}, got ${shapeText(noise.shape)}. Noise fills all ` +
        `${config.maxActionDim} padded action dimensions (max_action_dim), not only the robot's ${actionDim(config)}, ` +
        "because the network was trained with it there",
    );
  }
  if (noise.dtype !== "float32" && noise.dtype !== "float64") {
    throw new ShapeError(`${where}: expected noise in float32, got ${noise.dtype}`);
  }
  if (!numbersOf(noise).every(Number.isFinite)) {
    throw new ShapeError(`${where}: expected noise of finite numbers, got NaN or infinity among them`);
  }
  return toFloat32(noise);
}
