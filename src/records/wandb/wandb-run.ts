import { rmSync, writeFileSync } from "node:fs";
import { release, type } from "node:os";
import type { MetricsRow } from "./metrics-row.js";
import { linkLatestRun, makeRunFolder, newestRunFolder, wandbFilePath } from "./run-folders.js";
import { type RunConfig, type RunDescription, runRecords } from "./run-records.js";
import { WandbFile } from "./wandb-file.js";

/** A run's folder of Weights & Biases, open for its rows. */
export class WandbRun {
  readonly folder: string;
  readonly lastStep: number;
  /** of the run before it continued */
  readonly earlierRuntimeS: number;
  readonly #file: WandbFile;

  private constructor(folder: string, file: WandbFile) {
    this.folder = folder;
    this.#file = file;
    this.lastStep = file.lastStep;
    this.earlierRuntimeS = file.lastRuntimeS;
  }

  /** Makes the folder of a run that begins. @throws CheckpointError, or an error of the file system */
  static begin(runFolder: string, run: RunDescription, config: RunConfig, now: Date): WandbRun {
    const folder = makeRunFolder(runFolder, run.runId, now);
    const file = WandbFile.create(wandbFilePath(folder, run.runId), run.runId);
    file.write(runRecords.run(run, config, now));
    file.write(runRecords.environment(run, `${type()} ${release()}`, now));
    linkLatestRun(folder);
    return new WandbRun(folder, file);
  }

  /**
   * Goes on in the folder of a run that continues after `step`, with the configuration that it has now. A run whose folder
   * is gone begins a new one.
   *
   * @throws CheckpointError, or an error of the file system
   */
  static resume(runFolder: string, run: RunDescription, config: RunConfig, step: number, now: Date): WandbRun {
    const earlier = newestRunFolder(runFolder, run.runId);
    if (earlier === undefined) return WandbRun.begin(runFolder, run, config, now);
    const path = wandbFilePath(earlier.path, run.runId);
    const file = WandbFile.continueAfter(path, run.runId, step);
    for (const mark of ["synced", "syncstate"]) rmSync(`${path}.${mark}`, { force: true });
    file.write(runRecords.config(config));
    file.write(runRecords.telemetry());
    linkLatestRun(earlier.path);
    return new WandbRun(earlier.path, file);
  }

  write(row: MetricsRow): void {
    this.#file.write(runRecords.history(row));
    this.#file.write(runRecords.summary(row));
  }

  /** Writes how the run ended, and closes the file. */
  end(exitCode: number, runtimeS: number): void {
    this.#file.write(runRecords.exit(exitCode, runtimeS));
    this.#file.close();
  }

  /** Marks the run as sent, as `wandb sync` does, which passes over what is marked. */
  markSynced(): void {
    writeFileSync(`${this.#file.path}.synced`, "");
  }
}
