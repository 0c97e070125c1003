import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ComparedPolicy } from "../compare/index.js";
import { ConfigError, isUserError } from "../support/errors.js";
import { readJson } from "../support/read-json.js";
import { RUN_CONFIG_FILE, STATE_FOLDER } from "../train/checkpoint.js";
import { parseTrainConfig } from "../train/config.js";
import { type EpisodeSplit, splitEpisodes } from "../train/held-out.js";

/** Episodes to compare on, and what is known about whether the policies have learnt from them, as sentences. */
export interface ChosenEpisodes {
  readonly episodes: readonly number[];
  readonly remarks: readonly string[];
}

export interface EpisodeRequest {
  readonly policies: readonly ComparedPolicy[];
  readonly dataset: { readonly root: string; readonly repoId: string | undefined };
  /** all that the dataset has */
  readonly all: readonly number[];
  /** those that were asked for; undefined for those that the runs have held out */
  readonly asked: readonly number[] | undefined;
}

/** Observations of fewer are hardly independent. */
const FEW_EPISODES = 20;

/** Of a dataset of which nothing else is known. */
const LAST_SHARE = 0.1;

/**
 * Chooses episodes: those that were asked for, or those that every run beside the policies' checkpoints has held out, or the
 * last tenth.
 *
 * @throws ConfigError for episodes that the dataset does not have
 */
export async function chooseEpisodes({ policies, dataset, all, asked }: EpisodeRequest): Promise<ChosenEpisodes> {
  const missing = asked?.filter((episode) => !all.includes(episode)) ?? [];
  if (missing.length > 0 || asked?.length === 0) {
    throw new ConfigError("comparison settings", [
      {
        path: "dataset.episodes",
        message:
          `expected episodes of ${dataset.root}, which has ${all.length} (${all[0]} to ${all.at(-1)}), ` +
          `got ${missing.join(", ") || "none"}`,
      },
    ]);
  }
  const splits: { readonly name: string; readonly split: EpisodeSplit | undefined }[] = [];
  for (const policy of policies) splits.push({ name: policy.name, split: await splitOfRun(policy, dataset, all) });
  const heldOut = splits.flatMap(({ split }) => (split && split.heldOut.length > 0 ? [split.heldOut] : []));
  const common = (heldOut[0] ?? []).filter((episode) => heldOut.every((list) => list.includes(episode)));
  const lastOnes = all.slice(-Math.max(1, Math.round(LAST_SHARE * all.length)));
  const episodes = asked ?? (common.length > 0 ? common : lastOnes);
  const seenBy = splits.filter(({ split }) => split?.training.some((episode) => episodes.includes(episode)));
  const unknown = splits.filter(({ split }) => split === undefined);
  const listed = (some: typeof splits): string => some.map(({ name }) => name).join(", ");
  return {
    episodes,
    remarks: [
      ...(seenBy.length === 0
        ? []
        : [`${listed(seenBy)} learnt from some of the episodes: agreement on new ones may be worse`]),
      ...(unknown.length === 0
        ? []
        : [
            `nothing proves that ${listed(unknown)} did not learn from the ${asked ? "" : common.length > 0 ? "held-out " : "last "}` +
              "episodes: there is no run on this dataset beside the checkpoint",
          ]),
      ...(episodes.length < FEW_EPISODES
        ? [
            `the observations are of ${episodes.length} episodes only, in which frames are alike: intervals are too narrow`,
          ]
        : []),
    ],
  };
}

/** Which episodes a policy's run has learnt from; undefined if it lies in no run, or in one on another dataset. */
async function splitOfRun(
  { folder }: ComparedPolicy,
  { root, repoId }: EpisodeRequest["dataset"],
  all: readonly number[],
): Promise<EpisodeSplit | undefined> {
  const file = join(dirname(folder), STATE_FOLDER, RUN_CONFIG_FILE);
  if (!existsSync(file)) return undefined;
  try {
    const { config } = parseTrainConfig(await readJson(file));
    const { dataset } = config;
    const isSame =
      dataset.root === undefined
        ? dataset.repoId !== undefined && dataset.repoId === repoId
        : existsSync(dataset.root) && realpathSync(dataset.root) === realpathSync(root);
    return isSame ? splitEpisodes(dataset.episodes ?? all, config) : undefined;
  } catch (error) {
    if (isUserError(error)) return undefined; // a run of another version says nothing
    throw error;
  }
}
