import { z } from "zod";
import { DatasetError } from "../support/errors.js";
import { type Feature, isCamera, makeFeature } from "./feature.js";
import { parseDatasetValue, parsePythonJson } from "./json-file.js";

/** The content of `meta/info.json` that reading a dataset needs; keys that are not listed here are ignored. */
export interface DatasetInfo {
  /** version of the layout on disk, such as `v3.0` */
  readonly codebaseVersion: string;
  readonly robotType: string | undefined;
  readonly fps: number;
  readonly totalEpisodes: number;
  readonly totalFrames: number;
  readonly chunksSize: number;
  /** path templates, relative to the dataset's folder */
  readonly dataPath: string;
  readonly videoPath: string | undefined;
  /** in the file's order */
  readonly features: ReadonlyMap<string, Feature>;
}

const COUNT = z.int().min(0);

const FEATURE_SCHEMA = z.object({
  dtype: z.string(),
  shape: z.array(COUNT),
  names: z.unknown().optional(),
});

const INFO_SCHEMA = z.object({
  robot_type: z.string().nullish(),
  fps: z.number().gt(0),
  total_episodes: COUNT,
  total_frames: COUNT,
  chunks_size: z.int().min(1).default(1000),
  data_path: z.string(),
  video_path: z.string().nullish(),
  features: z.record(z.string(), FEATURE_SCHEMA),
});

const VERSION_SCHEMA = z.object({ codebase_version: z.string() });

/** Columns that every dataset has and without which no frame can be found. */
const REQUIRED_FEATURES = ["timestamp", "frame_index", "episode_index", "index", "task_index"] as const;

const CONVERSION_HINT =
  'LeRobot 0.4 and later converts the v2.1 layout with "python -m lerobot.datasets.v30.convert_dataset_v21_to_v30 ' +
  '--repo-id=OWNER/NAME"';

/** @throws DatasetError for a layout that cannot be read here, saying which can and how LeRobot converts */
function checkVersion(version: string, path: string): void {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  if (major === 3 || (major === 2 && minor === 1)) return;
  const advice =
    major === undefined || major < 3
      ? `${CONVERSION_HINT}; older layouts need that script's predecessors first`
      : "This dataset was written by a newer LeRobot than is known here";
  throw new DatasetError(
    `${path} at codebase_version: expected a dataset layout v3.0 or v2.1, got ${JSON.stringify(version)}. ${advice}`,
  );
}

/** @throws DatasetError naming the file and the key for anything that is missing or has another type than it must */
export function parseDatasetInfo(text: string, path: string): DatasetInfo {
  const value = parsePythonJson(text, path);
  const { codebase_version: codebaseVersion } = parseDatasetValue(VERSION_SCHEMA, value, path);
  checkVersion(codebaseVersion, path);
  const info = parseDatasetValue(INFO_SCHEMA, value, path);
  const features = new Map(Object.entries(info.features).map(([name, entry]) => [name, makeFeature(name, entry)]));
  for (const name of REQUIRED_FEATURES) {
    if (features.get(name)?.kind !== "numeric") {
      throw new DatasetError(
        `${path} at features.${name}: expected the number that every LeRobot dataset has, got none`,
      );
    }
  }
  for (const feature of features.values()) {
    if (isCamera(feature) && feature.shape.length !== 3) {
      throw new DatasetError(
        `${path} at features.${feature.name}.shape: expected height, width and channels, got [${feature.shape.join(", ")}]`,
      );
    }
  }
  const videoPath = info.video_path ?? undefined;
  const firstVideo = [...features.values()].find((feature) => feature.kind === "video");
  if (firstVideo !== undefined && videoPath === undefined) {
    throw new DatasetError(
      `${path} at video_path: expected a path template, because ${firstVideo.name} is a video, got nothing`,
    );
  }
  return {
    codebaseVersion,
    robotType: info.robot_type ?? undefined,
    fps: info.fps,
    totalEpisodes: info.total_episodes,
    totalFrames: info.total_frames,
    chunksSize: info.chunks_size,
    dataPath: info.data_path,
    videoPath,
    features,
  };
}
