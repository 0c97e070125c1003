import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatasetError } from "../support/errors.js";
import { type DatasetInfo, parseDatasetInfo } from "./dataset-info.js";
import type { DatasetStats } from "./dataset-stats.js";
import type { EpisodeMetadata } from "./episode.js";
import { isCamera } from "./feature.js";
import { isFolder, readFileIfPresent } from "./json-file.js";
import { isV21, readLayoutV21 } from "./layout-v21.js";
import { readLayoutV30 } from "./layout-v30.js";

/** What a dataset says about itself: everything but frames. */
export interface DatasetMetadata extends DatasetInfo {
  /** the dataset's folder */
  readonly root: string;
  /** name on the hub, if the caller knows it */
  readonly repoId: string | undefined;
  /** features that are videos or images, in the order of `features` */
  readonly cameraKeys: readonly string[];
  /** empty if the dataset has none */
  readonly stats: DatasetStats;
  /** entry `i` is the instruction of task index `i` */
  readonly tasks: readonly string[];
  /** all episodes, by index */
  readonly episodes: readonly EpisodeMetadata[];
  /** SHA-256 of the info and statistics files, in hexadecimal: equal for copies, different after any new recording */
  readonly contentHash: string;
}

const FOLDER_CONTENT =
  "A LeRobot v3.0 dataset folder holds meta/info.json, meta/stats.json, meta/tasks.parquet, meta/episodes/, data/ and, " +
  "for cameras, videos/";

function checkTotals(info: DatasetInfo, episodes: readonly EpisodeMetadata[], infoPath: string): void {
  const duplicate = episodes.find(({ index }, i) => index === episodes[i - 1]?.index);
  if (duplicate !== undefined) {
    throw new DatasetError(`${infoPath}: expected every episode once, got episode ${duplicate.index} more than once`);
  }
  const numFrames = episodes.reduce((sum, { length }) => sum + length, 0);
  if (episodes.length !== info.totalEpisodes || numFrames !== info.totalFrames) {
    throw new DatasetError(
      `${infoPath}: expected ${info.totalEpisodes} episodes with ${info.totalFrames} frames, ` +
        `got ${episodes.length} episodes with ${numFrames} frames in the episode table. The dataset is incomplete`,
    );
  }
}

/**
 * Reads all metadata of a dataset folder.
 *
 * @throws DatasetError if the folder or a file is missing, damaged or contradicts another one
 */
export async function readDatasetMetadata(root: string, repoId?: string): Promise<DatasetMetadata> {
  const infoPath = join(root, "meta", "info.json");
  const infoBytes = await readFileIfPresent(infoPath);
  if (infoBytes === undefined) {
    const missing = (await isFolder(root)) ? "one without meta/info.json" : "no folder at that path";
    throw new DatasetError(`${root}: expected a LeRobot dataset folder, got ${missing}. ${FOLDER_CONTENT}`);
  }
  const info = parseDatasetInfo(infoBytes.toString("utf8"), infoPath);
  const readLayout = isV21(info) ? readLayoutV21 : readLayoutV30;
  const { stats, tasks, episodes, statsBytes } = await readLayout(root, info, infoPath);
  checkTotals(info, episodes, infoPath);
  const hash = createHash("sha256");
  for (const bytes of [infoBytes, statsBytes ?? new Uint8Array()]) hash.update(`${bytes.byteLength}:`).update(bytes);
  return {
    ...info,
    root,
    repoId,
    cameraKeys: [...info.features.values()].filter(isCamera).map(({ name }) => name),
    stats,
    tasks,
    episodes,
    contentHash: hash.digest("hex"),
  };
}
