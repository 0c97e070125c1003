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
  const known: { readonly kind: Stage["kind"]; readonly rate: number }[] = [];
  for (const { stage } of progress) {
    const rate = await secondsPerStep(stage.config.outputDir);
    if (rate !== undefined) known.push({ kind: stage.kind, rate });
  }
  const rateOf = ({ kind }: Stage): number | undefined =>
    (known.filter((other) => other.kind === kind).at(-1) ?? known.at(-1))?.rate;
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
  const [start, last] = [records.filter(({ event }) => event === "run-start").at(-1), records.at(-1)];
  if (start === undefined || last === undefined || last.step <= start.step) return undefined;
  return (Date.parse(last.time) - Date.parse(start.time)) / 1000 / (last.step - start.step);
}
