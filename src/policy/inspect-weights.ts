import { stat } from "node:fs/promises";
import { fromCheckpointName, toCheckpointName } from "../smolvla/checkpoint-names.js";
import type { SmolVLAConfig } from "../smolvla/config.js";
import { type CurrentName, describeSmolVLA } from "../smolvla/load.js";
import { NETWORK_PARTS, type NetworkPart, networkPart } from "../smolvla/network-part.js";
import { isTrainable } from "../smolvla/trainable.js";
import type { VlmConfig } from "../smolvla/vlm-config.js";
import { type HostDType, numElements } from "../support/host-array.js";
import { readSafetensorsHeader } from "../support/safetensors.js";

/** Counts are of the tensors in the file that belong to a SmolVLA network. */
export interface WeightsReport {
  readonly numFileBytes: number;
  readonly numParameters: number;
  /** of those, how many training changes under the policy's own settings */
  readonly numTrainable: number;
  readonly parts: readonly {
    readonly part: NetworkPart;
    readonly numParameters: number;
    readonly numTrainable: number;
  }[];
  /** types in the file, most parameters first; the network computes in others */
  readonly storedAs: readonly {
    readonly dtype: HostDType;
    readonly numTensors: number;
    readonly numParameters: number;
  }[];
  /** what does not fit the configuration; undefined if its vision-language model is not known */
  readonly misfits: WeightMisfits | undefined;
}

/** Tensors by their names in the file. */
export interface WeightMisfits {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly misshapen: readonly {
    readonly name: string;
    readonly expected: readonly number[];
    readonly got: readonly number[];
  }[];
}

/**
 * What a weights file holds, from its header alone: no weight is read.
 *
 * @param vlmConfig undefined if it could not be found
 * @param currentName for files whose tensors have other names than the published ones
 * @throws CheckpointError if the file is missing or damaged
 */
export async function inspectWeights(
  path: string,
  config: SmolVLAConfig,
  vlmConfig: VlmConfig | undefined,
  currentName: CurrentName = (stored) => stored,
): Promise<WeightsReport> {
  const header = await readSafetensorsHeader(path);
  const entries = new Map(
    [...header.entries].flatMap(([stored, entry]) => {
      const name = currentName(stored);
      return name === undefined ? [] : [[name, entry] as const];
    }),
  );
  const parts = new Map(NETWORK_PARTS.map((part) => [part, { numParameters: 0, numTrainable: 0 }]));
  const dtypes = new Map<HostDType, { numTensors: number; numParameters: number }>();
  for (const [published, { dtype, shape }] of entries) {
    const name = fromCheckpointName(published);
    if (name === undefined) continue;
    const count = numElements(shape);
    const part = parts.get(networkPart(name))!;
    part.numParameters += count;
    if (isTrainable(name, config)) part.numTrainable += count;
    const stored = dtypes.get(dtype) ?? { numTensors: 0, numParameters: 0 };
    dtypes.set(dtype, { numTensors: stored.numTensors + 1, numParameters: stored.numParameters + count });
  }
  const sum = (key: "numParameters" | "numTrainable"): number =>
    [...parts.values()].reduce((total, part) => total + part[key], 0);
  return {
    numFileBytes: (await stat(path)).size,
    numParameters: sum("numParameters"),
    numTrainable: sum("numTrainable"),
    parts: [...parts].map(([part, counts]) => ({ part, ...counts })),
    storedAs: [...dtypes]
      .map(([dtype, counts]) => ({ dtype, ...counts }))
      .sort((a, b) => b.numParameters - a.numParameters),
    misfits: vlmConfig && findMisfits(new Map([...entries].map(([k, { shape }]) => [k, shape])), config, vlmConfig),
  };
}

/** Compares the shapes in a file with those of the network that the configuration describes. */
function findMisfits(
  shapes: ReadonlyMap<string, readonly number[]>,
  config: SmolVLAConfig,
  vlmConfig: VlmConfig,
): WeightMisfits {
  const network = describeSmolVLA(config, vlmConfig);
  const expected = new Map(
    Array.from(network.namedParameters(), ([name, { shape }]) => [toCheckpointName(name), shape]),
  );
  network.dispose();
  return {
    missing: [...expected.keys()].filter((name) => !shapes.has(name)),
    unexpected: [...shapes.keys()].filter((name) => !expected.has(name)),
    misshapen: [...expected].flatMap(([name, shape]) => {
      const got = shapes.get(name);
      return got === undefined || got.join() === shape.join() ? [] : [{ name, expected: shape, got }];
    }),
  };
}
