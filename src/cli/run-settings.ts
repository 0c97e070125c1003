import { existsSync } from "node:fs";
import { join } from "node:path";
import { CheckpointError, ConfigError } from "../support/errors.js";
import { readJson } from "../support/read-json.js";
import { RUN_CONFIG_FILE, STATE_FOLDER } from "../train/checkpoint.js";
import { parseTrainConfig, type TrainConfig } from "../train/config.js";
import { type ResumeTarget, resumeTarget } from "../train/config-resume.js";
import { obsoleteFlags } from "./migrate/obsolete-flags.js";
import { isMapping, mergeSettings, readSettings, type Settings } from "./overrides.js";

export interface RunSettings {
  readonly config: TrainConfig;
  readonly warnings: readonly string[];
  /** the checkpoint to continue from */
  readonly resume: ResumeTarget | undefined;
}

/**
 * The settings of a training run from its command line: those given, over those of `--config_path`; for a run that
 * continues, over those that the run was started with.
 *
 * @param defaults in place of LeRobot's, for a run that begins
 */
export async function readRunSettings(args: readonly string[], defaults: Settings = {}): Promise<RunSettings> {
  const source = await readSettings(args);
  const resume = resumeTarget(source);
  if (resume === undefined) {
    const { config, warnings } = parseTrainConfig(mergeSettings(defaults, source.settings));
    return { config, warnings: [...obsoleteFlags(source.settings), ...warnings], resume };
  }
  const saved = await savedSettings(resume);
  const continued: Settings = {
    resume: true,
    overwrite: false,
    ...(resume.outputDir ? { output_dir: resume.outputDir } : {}),
  };
  const settings = mergeSettings(mergeSettings(saved, source.overrides), continued);
  try {
    return { ...parseTrainConfig(settings), resume };
  } catch (error) {
    expectUsable(resume, mergeSettings(saved, continued));
    throw error;
  }
}

/** @throws ConfigError naming the file if the settings that were saved are damaged */
function expectUsable(resume: ResumeTarget, saved: Settings): void {
  try {
    parseTrainConfig(saved);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(settingsFile(resume), error.message);
    throw error;
  }
}

/** Our own settings of the run; LeRobot's, if the checkpoint is not ours. */
async function savedSettings(resume: ResumeTarget): Promise<Settings> {
  const { checkpointFolder } = resume;
  if (!existsSync(checkpointFolder)) {
    throw new CheckpointError(
      `--resume: expected a checkpoint at ${checkpointFolder}, got none. A run writes its first after save_freq steps`,
    );
  }
  const file = settingsFile(resume);
  const saved = await readJson(file);
  if (!isMapping(saved)) throw new CheckpointError(`${file}: expected the settings of a run, got something else`);
  return saved;
}

function settingsFile({ checkpointFolder, trainConfigPath }: ResumeTarget): string {
  const own = join(checkpointFolder, STATE_FOLDER, RUN_CONFIG_FILE);
  return existsSync(own) ? own : trainConfigPath;
}
