import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { removeUnfinished } from "../../support/atomic-file.js";
import { CheckpointError, messageOf } from "../../support/errors.js";
import { type LockWords, lockFolder } from "../../support/folder-lock.js";
import { makeFolder } from "../../support/make-folder.js";
import {
  isShardName,
  MANIFEST_FILE,
  numShards,
  type PairManifest,
  readPairManifest,
  shardName,
  writePairManifest,
} from "./pair-manifest.js";
import { expectSameSet } from "./pair-requirements.js";
import { type ShardArrays, writeShard } from "./pair-shard.js";

const LOCK_WORDS: LockWords = {
  command: "pairs",
  activity: "already making pairs in",
  option: "--output",
  kind: "`reflow pairs`",
};

/** The folder of a pair set in the making, reserved for one process until it is released. */
export interface PairFolder {
  readonly path: string;
  /**
   * Begins the set of a manifest, or continues it.
   *
   * @param overwrite whether a set that the folder holds is deleted
   * @returns the shards that are missing
   * @throws CheckpointError if it holds another set and shall not be overwritten
   */
  begin(manifest: PairManifest, overwrite: boolean): Promise<readonly number[]>;
  /** Writes a shard completely or not at all. @throws CheckpointError if it cannot be written, as on a full disk */
  write(shard: number, arrays: ShardArrays): Promise<void>;
  release(): void;
}

/** Makes or opens a folder for the caller alone. @throws CheckpointError if another process makes pairs in it */
export async function openPairFolder(path: string): Promise<PairFolder> {
  try {
    await makeFolder(path);
  } catch (error) {
    throw new CheckpointError(`pairs: ${path} cannot be made (${messageOf(error)})`);
  }
  const release = lockFolder(path, LOCK_WORDS);
  return {
    path,
    begin: (manifest, overwrite) => begin(path, manifest, overwrite),
    write: (shard, arrays) =>
      orSayWhy(join(path, shardName(shard)), () => writeShard(join(path, shardName(shard)), arrays)),
    release,
  };
}

async function begin(path: string, manifest: PairManifest, overwrite: boolean): Promise<readonly number[]> {
  await removeUnfinished(path);
  const shards = (await readdir(path)).filter(isShardName);
  const file = join(path, MANIFEST_FILE);
  if (overwrite) {
    for (const name of shards) await rm(join(path, name));
    await rm(file, { force: true }); // last, so that shards without a manifest are never left behind
  } else if (existsSync(file)) {
    expectSameSet(path, await readPairManifest(path), manifest);
  } else if (shards.length > 0) {
    throw new CheckpointError(
      `pairs: ${path} holds ${shards.length} shards, but no ${MANIFEST_FILE} that says what they are. Pass --overwrite=true ` +
        "to delete them, or another --output",
    );
  }
  if (!existsSync(file)) await orSayWhy(file, () => writePairManifest(path, manifest));
  return Array.from({ length: numShards(manifest) }, (_, shard) => shard).filter(
    (shard) => !existsSync(join(path, shardName(shard))),
  );
}

async function orSayWhy(file: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw new CheckpointError(
      `pairs: ${file} cannot be written (${messageOf(error)}). Finished shards are whole; the same command continues after them`,
      { cause: error },
    );
  }
}
