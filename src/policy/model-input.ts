import { adaptActions, adaptState, unadaptActions } from "../smolvla/aloha.js";
import { actionDim, imageFeatureNames, type SmolVLAConfig } from "../smolvla/config.js";
import { prepareImages } from "../smolvla/prepare-images.js";
import type { ModelInput } from "../smolvla/smolvla.js";
import type { CameraImages } from "../smolvla/vision-language-model.js";
import { ShapeError } from "../support/errors.js";
import type { HostArray } from "../support/host-array.js";
import {
  constantPad,
  full,
  ones,
  reshape,
  scope,
  slice,
  type Tensor,
  tensorFromHost,
  toDevice,
  toDtype,
  zeros,
} from "../torch/index.js";

type Arrays = Readonly<Record<string, HostArray>>;

/**
 * A processed batch as the network takes it, on the device: images fitted and scaled, state padded, cameras in the order
 * of the policy's features.
 *
 * @param arrays of a processed batch: normalised and tokenised, B rows each
 * @throws ShapeError naming the entry that is missing or of the wrong shape
 */
export function toModelInput(arrays: Arrays, config: SmolVLAConfig, device: string): ModelInput {
  const tokens = required(arrays, "observation.language.tokens");
  const batchSize = tokens.shape[0]!;
  const onDevice = (array: HostArray): Tensor => toDevice(tensorFromHost(array), device);
  return scope(() => ({
    cameras: cameraImages(arrays, config, batchSize, onDevice),
    tokens: onDevice(tokens),
    tokenMask: onDevice(required(arrays, "observation.language.attention_mask")),
    state: stateVector(arrays, config, batchSize, onDevice),
  }));
}

/** The state of a processed batch as the network takes it: float32 `[B, maxStateDim]`, on the device. @throws ShapeError */
export function toStateVector(arrays: Arrays, config: SmolVLAConfig, device: string): Tensor {
  const batchSize = required(arrays, "observation.state").shape[0]!;
  return scope(() => stateVector(arrays, config, batchSize, (array) => toDevice(tensorFromHost(array), device)));
}

function required(arrays: Arrays, name: string): HostArray {
  const array = arrays[name];
  if (array !== undefined) return array;
  throw new ShapeError(
    `policy: expected "${name}" in the batch, got only ${Object.keys(arrays).join(", ") || "nothing"}`,
  );
}

/** Cameras that are present, then as many absent ones as the policy has empty cameras: black and masked out. */
function cameraImages(
  arrays: Arrays,
  config: SmolVLAConfig,
  batchSize: number,
  onDevice: (array: HostArray) => Tensor,
): CameraImages[] {
  const names = imageFeatureNames(config);
  const present = names.filter((name) => arrays[name] !== undefined);
  if (present.length === 0) {
    throw new ShapeError(
      `policy: expected at least one of the cameras ${names.join(", ")}, got ${Object.keys(arrays).join(", ") || "nothing"}`,
    );
  }
  const cameras = present.map((name): CameraImages => {
    const array = arrays[name]!;
    if (array.shape.length < 4 || array.shape[0] !== batchSize) {
      throw new ShapeError(
        `policy: expected "${name}" of shape [${batchSize}, 3, height, width], got [${array.shape.join(", ")}]`,
      );
    }
    const images = onDevice(array);
    const current = array.shape.length === 5 ? lastStep(images, 1) : images;
    const mask = arrays[`${name}_padding_mask`];
    return {
      pixels: scope(() => prepareImages(current, config.resizeImgsWithPadding)),
      mask: mask ? toDtype(onDevice(mask), "bool") : ones([batchSize], "bool", undefined, images.device),
    };
  });
  const numAbsent = Math.min(names.length - present.length, config.emptyCameras);
  const like = cameras.at(-1)!.pixels;
  const absent = Array.from({ length: numAbsent }, () => ({
    pixels: full(like.shape, -1, like.dtype, undefined, like.device),
    mask: zeros([batchSize], "bool", undefined, like.device),
  }));
  return [...cameras, ...absent];
}

/** The last entry along a dimension, without that dimension. */
function lastStep(x: Tensor, dim: number): Tensor {
  const shape = x.shape.filter((_, i) => i !== dim);
  return reshape(slice(x, dim, x.size(dim) - 1, x.size(dim)), shape);
}

/** float32 `[B, maxStateDim]` from `[B, S]` or `[B, steps, S]`. */
function stateVector(
  arrays: Arrays,
  config: SmolVLAConfig,
  batchSize: number,
  onDevice: (array: HostArray) => Tensor,
): Tensor {
  const array = required(arrays, "observation.state");
  const dims = array.shape.length;
  if (dims < 2 || dims > 3 || array.shape[0] !== batchSize || array.shape.at(-1)! > config.maxStateDim) {
    throw new ShapeError(
      `policy: expected "observation.state" of shape [${batchSize}, S] or [${batchSize}, 1, S] with S at most ${config.maxStateDim}, got [${array.shape.join(", ")}]`,
    );
  }
  const state = toDtype(onDevice(array), "float32");
  const adapted = config.adaptToPiAloha ? adaptState(state) : state;
  return padLast(dims === 3 ? lastStep(adapted, 1) : adapted, config.maxStateDim);
}

/**
 * Demonstrated, normalised actions as training targets: float32 `[B, A, maxActionDim]`, padded with zeros.
 *
 * @throws ShapeError
 */
export function toTargetActions(arrays: Arrays, config: SmolVLAConfig, device: string): Tensor {
  const array = required(arrays, "action");
  const [A, M] = [config.chunkSize, actionDim(config)];
  if (array.shape.length !== 3 || array.shape[1] !== A || array.shape[2] !== M) {
    throw new ShapeError(`policy: expected "action" of shape [B, ${A}, ${M}], got [${array.shape.join(", ")}]`);
  }
  return scope(() => {
    const actions = toDevice(tensorFromHost(array), device, "float32");
    return padLast(config.adaptToPiAloha ? unadaptActions(actions) : actions, config.maxActionDim);
  });
}

/** Network actions `[B, A, maxActionDim]` as normalised actions of the robot's real width, `[B, A, M]`. */
export function cropActions(actions: Tensor, config: SmolVLAConfig): Tensor {
  const cropped = slice(actions, -1, 0, actionDim(config));
  return config.adaptToPiAloha ? adaptActions(cropped) : cropped;
}

/** Zeros on the right of the last dimension. */
const padLast = (x: Tensor, width: number): Tensor =>
  x.size(-1) === width ? x : constantPad(x, [0, width - x.size(-1)], 0);
