import { PythonFloat, stringifyAsPython } from "../../support/python-json.js";
import type { Statistic } from "../dataset-stats.js";
import { INDEX_FEATURES, type RecordedFeature } from "./recorded-feature.js";

/** What `meta/info.json` says. */
export interface RecordedInfo {
  readonly robotType: string | undefined;
  readonly fps: number;
  readonly useVideos: boolean;
  readonly chunksSize: number;
  readonly dataFilesSizeMb: number;
  readonly videoFilesSizeMb: number;
  readonly numEpisodes: number;
  readonly numFrames: number;
  readonly numTasks: number;
  readonly features: readonly RecordedFeature[];
}

const FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}";

/** What LeRobot reads from a camera's first video and notes beside it. */
const videoInfo = (feature: RecordedFeature, fps: number): object | undefined =>
  feature.kind !== "camera" || feature.dtype !== "video"
    ? undefined
    : {
        "video.height": feature.height,
        "video.width": feature.width,
        "video.codec": "av1",
        "video.pix_fmt": "yuv420p",
        "video.is_depth_map": false,
        "video.fps": fps,
        "video.channels": 3,
        has_audio: false,
      };

/** The text of `meta/info.json`, its keys in LeRobot's order. */
export const infoJson = (info: RecordedInfo): string =>
  stringifyAsPython(
    {
      codebase_version: "v3.0",
      robot_type: info.robotType ?? null,
      total_episodes: info.numEpisodes,
      total_frames: info.numFrames,
      total_tasks: info.numTasks,
      chunks_size: info.chunksSize,
      data_files_size_in_mb: info.dataFilesSizeMb,
      video_files_size_in_mb: info.videoFilesSizeMb,
      fps: info.fps,
      splits: { train: `0:${info.numEpisodes}` },
      data_path: `data/${FILE}.parquet`,
      video_path: info.useVideos ? `videos/{video_key}/${FILE}.mp4` : null,
      features: Object.fromEntries(
        [...info.features, ...INDEX_FEATURES].map((feature) => [
          feature.name,
          { dtype: feature.dtype, shape: feature.shape, names: feature.names, info: videoInfo(feature, info.fps) },
        ]),
      ),
    },
    4,
  );

function nestedFloats({ shape, values }: Statistic, isInteger: boolean): unknown {
  const wrap = (value: number): unknown => (isInteger ? value : new PythonFloat(value));
  // A camera's [3, 1, 1] or a vector's [width].
  return values.map((value) => shape.slice(1).reduce<unknown>((inner) => [inner], wrap(value)));
}

/** The text of `meta/stats.json`. */
export const statisticsJson = (
  statistics: ReadonlyMap<string, ReadonlyMap<string, Statistic>>,
  isInteger: (feature: string, statistic: string) => boolean,
): string =>
  stringifyAsPython(
    Object.fromEntries(
      [...statistics].map(([feature, of]) => [
        feature,
        Object.fromEntries(
          [...of].map(([name, statistic]) => [name, nestedFloats(statistic, isInteger(feature, name))]),
        ),
      ]),
    ),
    4,
  );
