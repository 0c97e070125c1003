import { join } from "node:path";
import { type Provenance, readProvenance } from "../policy/provenance.js";
import { readRecords } from "../records/read-records.js";
import {
  type EndEvent,
  RECORDS_FILE,
  type RunRecord,
  type RunStartEvent,
  type StepEvent,
} from "../records/run-event.js";
import { messageOf } from "../support/errors.js";
import { flattenSettings } from "./flatten-settings.js";
import { isLossAtTime, lossByTime } from "./loss-by-time.js";
import type { Problem, RunNote, RunReport, RunState, Series } from "./report-data.js";
import { thinSeries } from "./thin-series.js";

/** Where a run's newest policy lies. */
const LAST_POLICY = join("checkpoints", "last", "pretrained_model");

/** Counters that say nothing beside the step. */
const COUNTERS = new Set(["train/steps", "train/samples", "train/episodes", "train/epochs"]);

export interface ReadRun {
  readonly run: RunReport;
  readonly problems: readonly Problem[];
}

/**
 * A training run as its records tell it. Curves are of what counts: what a run has taken back, by continuing from an earlier
 * checkpoint, is left out of them; its warnings stay, marked.
 *
 * @param name under which the report speaks of it
 * @throws CheckpointError if there are no records
 */
export async function readRun(folder: string, name: string): Promise<ReadRun> {
  const path = join(folder, RECORDS_FILE);
  const { records, droppedLines } = await readRecords(path, { keepSuperseded: true });
  const kept = withoutTakenBack(records);
  const isKept = new Set(kept);
  const starts = kept.filter((record) => record.event === "run-start");
  const start = starts.at(-1);
  const ends = kept.filter((record) => record.event === "end");
  const end = kept.at(-1)?.event === "end" ? ends.at(-1) : undefined;
  const steps = kept.filter((record) => record.event === "step");
  const curves = lossByTime(steps);
  const { provenance, problems } = await readLastProvenance(folder);
  const numSteps = start?.config.steps;
  return {
    problems,
    run: {
      name,
      folder,
      state: stateOf(records, end),
      ...(end?.message === undefined ? {} : { failure: end.message }),
      objective: objectiveOf(start),
      ...(records.length === 0 ? {} : { firstRecord: records[0]!.time, lastRecord: records.at(-1)!.time }),
      step: kept.reduce((largest, { step }) => Math.max(largest, step), 0),
      ...(typeof numSteps === "number" ? { numSteps } : {}),
      series: seriesOf(kept),
      ...(curves === undefined ? {} : { lossByTime: curves }),
      events: records.flatMap((record) => noteOf(record, !isKept.has(record))),
      droppedLines,
      settings: flattenSettings(start?.config),
      versions: Object.fromEntries(flattenSettings(start?.versions).map(({ path, value }) => [path, value])),
      provenance: flattenSettings(provenance),
    },
  };
}

/** A run that is expected in a folder and has recorded nothing. */
export const runNotBegun = (folder: string, name: string): RunReport => ({
  name,
  folder,
  state: "not begun",
  objective: "flow matching",
  step: 0,
  series: {},
  events: [],
  droppedLines: [],
  settings: [],
  versions: {},
  provenance: [],
});

/** As `readRecords` leaves them out; the records that stay are the same objects. */
function withoutTakenBack(records: readonly RunRecord[]): readonly RunRecord[] {
  let kept: RunRecord[] = [];
  for (const record of records) {
    if (record.event === "run-start") kept = record.step === 0 ? [] : kept.filter(({ step }) => step <= record.step);
    kept.push(record);
  }
  return kept;
}

const stateOf = (records: readonly RunRecord[], end: EndEvent | undefined): RunState =>
  end?.reason ?? (records.length === 0 ? "not begun" : "killed or running");

function objectiveOf(start: RunStartEvent | undefined): RunReport["objective"] {
  const config = start?.config as
    | { readonly policy?: { readonly use_reflow?: unknown }; readonly reflow?: { readonly stage?: unknown } }
    | undefined;
  if (config?.policy?.use_reflow !== true) return "flow matching";
  return config.reflow?.stage === "distill" ? "distillation" : "reflow";
}

function seriesOf(records: readonly RunRecord[]): Readonly<Record<string, Series>> {
  const points = new Map<string, (readonly [number, number])[]>();
  for (const record of records) {
    if (!("metrics" in record)) continue;
    for (const [name, value] of Object.entries((record as StepEvent).metrics)) {
      if (COUNTERS.has(name) || isLossAtTime(name)) continue;
      if (!points.has(name)) points.set(name, []);
      points.get(name)!.push([record.step, value]);
    }
  }
  return Object.fromEntries([...points].map(([name, curve]) => [name, thinSeries(curve)]));
}

function noteOf(record: RunRecord, isTakenBack: boolean): readonly RunNote[] {
  const { event, step, time } = record;
  const note = (kind: RunNote["kind"], message: string): RunNote[] => [{ kind, step, time, message, isTakenBack }];
  switch (event) {
    case "run-start":
      return note("start", step === 0 ? "began" : `went on from step ${step}`);
    case "checkpoint":
      return note("checkpoint", record.path);
    case "warning":
      return note("warning", record.message);
    case "end":
      return note("end", record.message === undefined ? record.reason : `${record.reason}: ${record.message}`);
    default:
      return [];
  }
}

async function readLastProvenance(
  folder: string,
): Promise<{ readonly provenance: Provenance | undefined; readonly problems: readonly Problem[] }> {
  const policy = join(folder, LAST_POLICY);
  try {
    return { provenance: await readProvenance(policy), problems: [] };
  } catch (error) {
    return { provenance: undefined, problems: [{ file: join(policy, "reflow.json"), message: messageOf(error) }] };
  }
}
