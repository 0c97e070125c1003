import type { DatasetMetadata, DatasetStats } from "../data/index.js";
import { featuresFromDataset } from "../smolvla/config.js";
import { hostArray } from "../support/host-array.js";
import type { TrainConfig } from "./config.js";

/** The dataset's features under the policy's names. */
export function featuresOf(dataset: DatasetMetadata, config: TrainConfig): ReturnType<typeof featuresFromDataset> {
  const features = featuresFromDataset(Object.fromEntries(dataset.features));
  return Object.fromEntries(Object.entries(features).map(([name, f]) => [config.renameMap[name] ?? name, f]));
}

/** Colour statistics of ImageNet, `[3, 1, 1]`. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** The dataset's statistics under the policy's names, with ImageNet's for cameras if the settings say so. */
export function trainingStatistics(dataset: DatasetMetadata, config: TrainConfig): DatasetStats {
  const renamed = new Map([...dataset.stats].map(([name, stats]) => [config.renameMap[name] ?? name, stats]));
  if (!config.dataset.useImagenetStats) return renamed;
  for (const camera of dataset.cameraKeys) {
    const name = config.renameMap[camera] ?? camera;
    const imagenet = Object.entries(IMAGENET).map(
      ([stat, values]) => [stat, hostArray("float32", [3, 1, 1], Float32Array.from(values))] as const,
    );
    renamed.set(name, new Map([...(renamed.get(name) ?? []), ...imagenet]));
  }
  return renamed;
}
