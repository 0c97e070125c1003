/** LeRobot datasets: metadata, frames, batches. Nothing here needs libtorch; everything runs in any thread. */

export { BatchSampler, type BatchSamplerOptions } from "./batch-sampler.js";
export { collate, type DatasetBatch } from "./collate.js";
export { type DatasetMetadata, readDatasetMetadata } from "./dataset-metadata.js";
export type { DatasetStats } from "./dataset-stats.js";
export type { DeltaTimestamps } from "./delta-indices.js";
export type { EpisodeMetadata, EpisodeVideo } from "./episode.js";
export { epochOrder } from "./epoch-order.js";
export type { Feature, FeatureKind } from "./feature.js";
export { type DatasetItem, LeRobotDataset, type LeRobotDatasetOptions } from "./lerobot-dataset.js";
export { createNodeAvBackend } from "./node-av-backend.js";
export type { VideoBackend, VideoFile, VideoFrame } from "./video-backend.js";
export { VideoReader } from "./video-reader.js";
