import { existsSync } from "node:fs";
import { join } from "node:path";
import { readRecords } from "../../records/read-records.js";
import { RECORDS_FILE } from "../../records/run-event.js";
import type { Stage } from "./plan-stages.js";

/** A stage that has been worked on, and how far. */
export interface Progressed {
  readonly stage: Stage;
  /** steps done */
  readonly step: number;
}

/**
 * Seconds that the stages from one on will take, if their steps take as long as those of the latest stage of their kind, or
 * of any; undefined as long as no stage has made a step.
 */
export async function secondsLeft(progress: readonly Progressed[]): Promise<number | undefined> {
  const rates: (number | undefined)[] = [];
  for (const { stage } of progress) rates.push(await secondsPerStep(stage.config.outputDir));
  const rateOf = (stage: Stage): number | undefined => {
    const sameKind = rates.findLast((rate, i) => rate !== undefined && progress[i]!.stage.kind === stage.kind);
    return sameKind ?? rates.findLast((rate) => rate !== undefined);
  };
  let seconds = 0;
  for (const { stage, step } of progress) {
    const rate = rateOf(stage);
    if (rate === undefined) return undefined;
    seconds += Math.max(0, stage.config.steps - step) * rate;
  }
  return seconds;
}

/** Of the latest time that a run went on, from its first event to its last. */
async function secondsPerStep(runFolder: string): Promise<number | undefined> {
  const path = join(runFolder, RECORDS_FILE);
  if (!existsSync(path)) return undefined;
  const { records } = await readRecords(path);
  const start = records.findLast(
    (record, i) => record.event === "run-start" && records.at(-1)!.step > record.step && i >= 0,
  );
  const last = records.at(-1);
  if (start === undefined || last === undefined) return undefined;
  return (Date.parse(last.time) - Date.parse(start.time)) / 1000 / (last.step - start.step);
}
