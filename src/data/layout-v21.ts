import { join } from "node:path";
import { z } from "zod";
import { DatasetError } from "../support/errors.js";
import { aggregateStatistics } from "./aggregate-statistics.js";
import type { DatasetInfo } from "./dataset-info.js";
import { fillPathTemplate, pathInDataset } from "./dataset-path.js";
import { mapStatistics, parseStatistics, toFloat32 } from "./dataset-stats.js";
import type { EpisodeMetadata, EpisodeVideo } from "./episode.js";
import { parseDatasetValue, parseJsonLines, readFileIfPresent, readRequiredText } from "./json-file.js";
import type { LayoutMetadata } from "./layout-v30.js";

const COUNT = z.int().min(0);
const TASK_SCHEMA = z.object({ task_index: COUNT, task: z.string() });
const EPISODE_SCHEMA = z.object({ episode_index: COUNT, length: COUNT });
const EPISODE_STATS_SCHEMA = z.object({ stats: z.unknown() });

export const isV21 = (info: DatasetInfo): boolean => /^v?2\.1/.test(info.codebaseVersion);

async function readTasks(path: string): Promise<string[]> {
  const lines = parseJsonLines(await readRequiredText(path), path);
  const byIndex = new Map(
    lines.map(({ value, where }) => {
      const { task_index: index, task } = parseDatasetValue(TASK_SCHEMA, value, where);
      return [index, task];
    }),
  );
  return Array.from({ length: byIndex.size }, (_, index) => {
    const task = byIndex.get(index);
    if (task !== undefined) return task;
    throw new DatasetError(`${path}: expected the task indices 0 to ${byIndex.size - 1}, got none for ${index}`);
  });
}

/** Where frames are is not written down: one file per episode, frames counted on from episode to episode. */
async function readEpisodes(path: string, root: string, info: DatasetInfo, infoPath: string) {
  const cameras = [...info.features.values()].filter(({ kind }) => kind === "video").map(({ name }) => name);
  const locate = (template: string, episode: number, camera: string, key: string): string => {
    const where = `${infoPath} at ${key}`;
    const chunk = Math.floor(episode / info.chunksSize);
    const values = { episode_chunk: chunk, episode_index: episode, video_key: camera };
    return pathInDataset(root, fillPathTemplate(template, values, where), where);
  };
  const lengths = parseJsonLines(await readRequiredText(path), path)
    .map(({ value, where }) => parseDatasetValue(EPISODE_SCHEMA, value, where))
    .sort((a, b) => a.episode_index - b.episode_index);
  let from = 0;
  return lengths.map(({ episode_index: index, length }): EpisodeMetadata => {
    from += length;
    const videos = cameras.map((camera): [string, EpisodeVideo] => {
      const file = locate(info.videoPath ?? "", index, camera, "video_path");
      return [camera, { path: file, fromTimestampS: 0, toTimestampS: length / info.fps }];
    });
    const dataPath = locate(info.dataPath, index, "", "data_path");
    return { index, length, from: from - length, to: from, dataPath, videos: new Map(videos) };
  });
}

/** Layout v2.1 of LeRobot 0.3: one data and one video file per episode, tables in lines of JSON. */
export async function readLayoutV21(root: string, info: DatasetInfo, infoPath: string): Promise<LayoutMetadata> {
  const statsPath = join(root, "meta", "episodes_stats.jsonl");
  const statsBytes = await readFileIfPresent(statsPath);
  const perEpisode = parseJsonLines(statsBytes?.toString("utf8") ?? "", statsPath).map(({ value, where }) =>
    parseStatistics(parseDatasetValue(EPISODE_STATS_SCHEMA, value, where).stats, where),
  );
  return {
    stats: mapStatistics(aggregateStatistics(perEpisode, statsPath), toFloat32),
    tasks: await readTasks(join(root, "meta", "tasks.jsonl")),
    episodes: await readEpisodes(join(root, "meta", "episodes.jsonl"), root, info, infoPath),
    statsBytes,
  };
}
