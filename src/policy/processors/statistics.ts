import { createHash } from "node:crypto";
import { CheckpointError, ShapeError } from "../../support/errors.js";
import { bytesOf, type HostArray, hostArray, numbersOf } from "../../support/host-array.js";
import { readSafetensors, type SafetensorsSource, sourceOf, writeSafetensors } from "../../support/safetensors.js";
import { isNormalization, type ProcessorPipeline, type Statistics } from "./pipeline.js";

/** Statistics as LeRobot stores them: one tensor per `feature.statistic`, where the statistic has no dot. */

/** The same values as float32, the type in which LeRobot computes with statistics. */
export function toFloat32(array: HostArray): HostArray {
  return array.dtype === "float32" ? array : hostArray("float32", array.shape, Float32Array.from(numbersOf(array)));
}

/** Statistics in which every array is float32. @throws ShapeError for 16-bit floats */
export const float32Statistics = (statistics: Statistics): Statistics =>
  new Map(
    [...statistics].map(([feature, stats]) => [
      feature,
      new Map([...stats].map(([stat, array]) => [stat, toFloat32(array)])),
    ]),
  );

/** Statistics by their flat names, sorted. */
export const flattenStatistics = (statistics: Statistics): [name: string, array: HostArray][] =>
  [...statistics]
    .flatMap(([feature, stats]) =>
      [...stats].map(([stat, array]) => [`${feature}.${stat}`, array] as [string, HostArray]),
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));

/** The statistics in a step's state file. @throws CheckpointError naming the file and the tensor */
export async function readStatistics(path: string): Promise<Statistics> {
  const statistics = new Map<string, Map<string, HostArray>>();
  for (const [name, array] of await readSafetensors(path)) {
    const dot = name.lastIndexOf(".");
    if (dot <= 0) {
      throw new CheckpointError(`${path}: expected tensors named "feature.statistic", got "${name}"`);
    }
    const feature = name.slice(0, dot);
    if (!statistics.has(feature)) statistics.set(feature, new Map());
    try {
      statistics.get(feature)!.set(name.slice(dot + 1), toFloat32(array));
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      throw new CheckpointError(`${path}: tensor "${name}": expected float32, got ${array.dtype}`);
    }
  }
  return statistics;
}

/** Writes a step's state file, atomically. */
export async function writeStatistics(path: string, statistics: Statistics): Promise<void> {
  const tensors = flattenStatistics(statistics).map(([name, array]): [string, SafetensorsSource] => [
    name,
    sourceOf(array),
  ]);
  await writeSafetensors(path, new Map(tensors), null);
}

/**
 * SHA-256 of all statistics of some pipelines, as hexadecimal text: names (sorted), shapes and bytes. Two policies with the
 * same hash read and write the same units, as far as statistics decide them.
 */
export function statisticsHash(pipelines: readonly ProcessorPipeline[]): string {
  const hash = createHash("sha256");
  const byName = [...pipelines].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const pipeline of byName) {
    for (const step of pipeline.steps.filter(isNormalization)) {
      for (const [name, array] of flattenStatistics(step.statistics)) {
        hash.update(`${pipeline.name}/${step.kind}/${name} ${array.dtype} [${array.shape.join(",")}]\n`);
        hash.update(bytesOf(array));
      }
    }
  }
  return hash.digest("hex");
}
