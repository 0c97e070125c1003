import type { DatasetItem, LeRobotDataset } from "../../data/index.js";

/** Frames of the selected episodes, spread evenly: as many as asked for, or as there are. */
export async function sampleFrames(dataset: LeRobotDataset, count: number): Promise<DatasetItem[]> {
  const numFrames = Math.min(count, dataset.numFrames);
  const items: DatasetItem[] = [];
  for (let i = 0; i < numFrames; i++) {
    items.push(await dataset.item(Math.floor(((i + 0.5) * dataset.numFrames) / numFrames)));
  }
  return items;
}
