/** What runs leave behind, read back, and runs that are continued from their middle. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readRecords } from "../../src/records/read-records.js";
import type { RunRecord } from "../../src/records/run-event.js";
import type { HostArray } from "../../src/support/host-array.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { scope, tensorFromHost, toDtype } from "../../src/torch/index.js";
import { lastCheckpoint, temporaryFolder, trainIn, weightsOf } from "./training-run.js";

/** The checkpoint of a step; the last one if none is named. */
export const checkpointOf = (run: string, step?: number): string =>
  step === undefined ? lastCheckpoint(run) : join(run, "checkpoints", String(step).padStart(6, "0"));

export const policyOf = (run: string, step?: number): string => join(checkpointOf(run, step), "pretrained_model");

export const policyWeights = (run: string, step?: number): Promise<Map<string, HostArray>> =>
  weightsOf(policyOf(run, step));

const TRAINED = "training_state/reflow_trained_weights.safetensors";

/** The weights that were trained, where the policy beside them holds something else. */
export const rawWeights = (run: string, step?: number): Promise<Map<string, HostArray>> =>
  readSafetensors(join(checkpointOf(run, step), TRAINED));

export const optimizerState = (run: string, step?: number): Promise<Map<string, HostArray>> =>
  readSafetensors(join(checkpointOf(run, step), "training_state/optimizer_state.safetensors"));

const RESULTS = [
  "pretrained_model/model.safetensors",
  "pretrained_model/adapter/adapter_model.safetensors",
  "training_state/optimizer_state.safetensors",
  TRAINED,
  "training_state/reflow_averaged_weights.safetensors",
];

/** All tensors that a run's last checkpoint has, by file, as bytes. */
export const completeResult = (run: string): Readonly<Record<string, Buffer>> =>
  Object.fromEntries(
    RESULTS.map((file) => [file, join(lastCheckpoint(run), file)] as const)
      .filter(([, path]) => existsSync(path))
      .map(([file, path]) => [file, readFileSync(path)]),
  );

/** Names of the files of two results whose bytes differ, or that only one has. */
export function differingFiles(a: string, b: string): string[] {
  const [first, second] = [completeResult(a), completeResult(b)];
  return RESULTS.filter((file) => {
    const [mine, theirs] = [first[file], second[file]];
    return mine === undefined || theirs === undefined ? mine !== theirs : !mine.equals(theirs);
  });
}

/** Continues a run from one of its checkpoints in another folder. @returns that folder */
export async function continueFrom(run: string, step: number, ...flags: readonly string[]): Promise<string> {
  const folder = temporaryFolder();
  await trainIn(folder, "--resume=true", `--config_path=${policyOf(run, step)}/train_config.json`, ...flags);
  return folder;
}

type Kind = RunRecord["event"];

export async function recordsOf<K extends Kind>(
  run: string,
  kind: K,
  options: { readonly keepSuperseded?: boolean } = {},
): Promise<Extract<RunRecord, { event: K }>[]> {
  const { records } = await readRecords(join(run, "records.jsonl"), options);
  return records.filter((record): record is Extract<RunRecord, { event: K }> => record.event === kind);
}

/** A metric of every logged step; undefined where it was not recorded. */
export const metricOf = async (run: string, name: string): Promise<(number | undefined)[]> =>
  (await recordsOf(run, "step")).map(({ metrics }) => metrics[`train/${name}`]);

export const provenanceOf = (run: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(policyOf(run), "reflow.json"), "utf8"));

const wideNumbersOf = (array: HostArray): number[] =>
  scope(() => toDtype(tensorFromHost(array), "float32").toNumbers());

/** Largest of the tensors' distances, each relative to its own norm. */
export function largestRelativeDistance(
  actual: ReadonlyMap<string, HostArray>,
  expected: ReadonlyMap<string, HostArray>,
): number {
  const norm = (values: readonly number[]): number => Math.hypot(...values);
  return Math.max(
    ...[...expected].map(([name, array]) => {
      const [a, b] = [wideNumbersOf(actual.get(name)!), wideNumbersOf(array)];
      const distance = norm(a.map((value, i) => value - b[i]!));
      return distance === 0 ? 0 : distance / norm(b);
    }),
  );
}
