import { existsSync, realpathSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { readProvenance } from "../../policy/provenance.js";
import { readRecords } from "../../records/read-records.js";
import { RECORDS_FILE, type RunRecord } from "../../records/run-event.js";
import { WEIGHTS_FILE } from "../../smolvla/load.js";
import { readJson } from "../../support/read-json.js";
import { CHECKPOINTS, POLICY_FOLDER, RUN_CONFIG_FILE, STATE_FOLDER } from "../../train/checkpoint.js";
import type { TrainConfig } from "../../train/config.js";
import { trainConfigFromJson } from "../../train/config-json.js";
import { weightsHash } from "../../train/run-provenance.js";
import type { Stage } from "./plan-stages.js";
import { settingsDifference } from "./settings-difference.js";

/** The checkpoint from which a stage goes on, or which is its result. */
export interface StageCheckpoint {
  readonly folder: string;
  readonly step: number;
  /** the settings it was written with, optimizer and seed filled in */
  readonly config: TrainConfig;
}

/** What a stage's folder says about it. */
export interface StageState {
  /** whether there is anything of a run, a checkpoint or not */
  readonly holdsRun: boolean;
  readonly checkpoint: StageCheckpoint | undefined;
  /** whether its records end as completed, at the step of its last checkpoint, which is the stage's last */
  readonly isFinished: boolean;
  /** settings with which its checkpoint was made, where other results would follow from those of now */
  readonly differences: readonly string[];
}

/** Reads a stage's state off its run folder; there is no other place that knows it. */
export async function readStageState(stage: Stage): Promise<StageState> {
  const { outputDir, steps } = stage.config;
  const records = join(outputDir, RECORDS_FILE);
  const holdsRun = existsSync(join(outputDir, CHECKPOINTS)) || existsSync(records);
  const checkpoint = await lastCheckpoint(outputDir);
  if (checkpoint === undefined) return { holdsRun, checkpoint, isFinished: false, differences: [] };
  const end = existsSync(records) ? (await readRecords(records)).records.filter(isStartOrEnd).at(-1) : undefined;
  const isCompleted = end?.event === "end" && end.reason === "completed" && end.step === steps;
  return {
    holdsRun,
    checkpoint,
    isFinished: isCompleted && checkpoint.step === steps && existsSync(join(stage.resultFolder, WEIGHTS_FILE)),
    differences: settingsDifference(checkpoint.config, stage.config, stage),
  };
}

const isStartOrEnd = ({ event }: RunRecord): boolean => event === "run-start" || event === "end";

/** What `last` points to; without it, as when a run was killed at its first checkpoint, the newest. */
async function lastCheckpoint(runFolder: string): Promise<StageCheckpoint | undefined> {
  const checkpoints = join(runFolder, CHECKPOINTS);
  if (!existsSync(checkpoints)) return undefined;
  const last = join(checkpoints, "last");
  const names = (await readdir(checkpoints)).filter((name) => /^\d+$/.test(name));
  const name = existsSync(last) ? basename(realpathSync(last)) : names.sort((a, b) => Number(a) - Number(b)).at(-1);
  if (name === undefined) return undefined;
  const folder = join(checkpoints, name);
  const config = trainConfigFromJson(await readJson(join(folder, STATE_FOLDER, RUN_CONFIG_FILE)));
  return { folder, step: Number(name), config };
}

/**
 * Whether a checkpoint of a stage was made after the policy that lies in a folder now. One that was trained on
 * demonstrations does not say what it started from.
 */
export async function isMadeAfter(checkpoint: StageCheckpoint, teacherFolder: string): Promise<boolean> {
  const teacher = (await readProvenance(join(checkpoint.folder, POLICY_FOLDER)))?.teacher;
  return teacher === undefined || teacher.weightsSha256 === (await weightsHash(teacherFolder));
}
