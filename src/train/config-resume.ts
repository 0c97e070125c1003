import { basename, dirname, join, resolve } from "node:path";
import { ConfigError } from "../support/errors.js";
import { lastCheckpointFolder } from "./checkpoint.js";

/** Where a run that continues finds what it needs; nothing is known to exist yet. */
export interface ResumeTarget {
  /** `<run>/checkpoints/<step or last>` */
  readonly checkpointFolder: string;
  /** weights, configuration and processors in it */
  readonly policyFolder: string;
  /** the settings that the run had */
  readonly trainConfigPath: string;
  /** the folder in which the run continues; undefined if only the settings can say */
  readonly outputDir: string | undefined;
}

/** Settings as `readSettings` gives them; only these are looked at. */
export interface ResumeRequest {
  /** those of the command line alone */
  readonly overrides: Readonly<Record<string, unknown>>;
  /** those of the command line over those of the file */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly configPath: string | undefined;
}

const textAt = (settings: Readonly<Record<string, unknown>>, name: string): string | undefined => {
  const value = settings[name];
  return typeof value === "string" && value !== "" ? value : undefined;
};

/** The run's folder if a checkpoint lies where runs put their checkpoints. */
function runFolderOf(checkpointFolder: string): string | undefined {
  const checkpoints = dirname(checkpointFolder);
  return basename(checkpoints) === "checkpoints" ? dirname(checkpoints) : undefined;
}

/**
 * Which checkpoint `resume=true` means, or undefined if no run is to continue. Two forms:
 * - LeRobot's: `--resume=true --config_path=<run>/checkpoints/<step>/pretrained_model/train_config.json`
 * - `--resume=true --output_dir=<run>`: the run's last checkpoint (`lastCheckpointFolder`)
 *
 * With an `output_dir` on the command line, LeRobot's form continues in that folder; otherwise in the checkpoint's own.
 *
 * @throws ConfigError if neither form is given
 */
export function resumeTarget({ overrides, settings, configPath }: ResumeRequest): ResumeTarget | undefined {
  if (settings.resume !== true) return undefined;
  if (configPath !== undefined && basename(configPath) === "train_config.json") {
    const trainConfigPath = resolve(configPath);
    const policyFolder = dirname(trainConfigPath);
    const checkpointFolder = dirname(policyFolder);
    const outputDir =
      textAt(overrides, "output_dir") ?? runFolderOf(checkpointFolder) ?? textAt(settings, "output_dir");
    return { checkpointFolder, policyFolder, trainConfigPath, outputDir };
  }
  const outputDir = textAt(settings, "output_dir");
  if (outputDir === undefined) {
    throw new ConfigError(
      "--resume",
      "expected the run to continue, got nothing. Give --output_dir=<run>, or " +
        "--config_path=<run>/checkpoints/last/pretrained_model/train_config.json",
    );
  }
  const checkpointFolder = lastCheckpointFolder(outputDir);
  const policyFolder = join(checkpointFolder, "pretrained_model");
  return { checkpointFolder, policyFolder, trainConfigPath: join(policyFolder, "train_config.json"), outputDir };
}
