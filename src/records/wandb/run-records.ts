import { integerField, messageField, readFields, textField } from "../protobuf.js";
import { type MetricsRow, rowColumns } from "./metrics-row.js";

/**
 * The records of a `.wandb` file.
 *
 * Reference: `wandb_internal.proto` of wandb 0.24.2 (the version that LeRobot 0.4.4 asks for); 0.31.0 reads the same.
 */

/** What identifies and describes a run. */
export interface RunDescription {
  readonly runId: string;
  readonly project: string;
  /** undefined for the account's default */
  readonly entity: string | undefined;
  readonly displayName: string;
  readonly notes: string | undefined;
  readonly tags: readonly string[];
  readonly host: string;
}

export type RunConfig = Readonly<Record<string, unknown>>;

/** What LeRobot calls its runs. */
export const JOB_TYPE = "train_eval";

/** The client that wrote the file, and the oldest that can read it, in the numbering of the reference. */
const FILE_VERSIONS = { producer: "0.24.2", minConsumer: "0.40.0" };

/** Numbers of `Record`'s fields; the same number is the kind of a record. */
const FIELD = {
  number: 1,
  history: 2,
  summary: 3,
  config: 5,
  telemetry: 11,
  run: 17,
  exit: 18,
  header: 21,
  environment: 26,
  info: 200,
};

const optionalText = (field: number, value: string | undefined): Buffer[] =>
  value === undefined ? [] : [textField(field, value)];

function timestamp(field: number, time: Date): Buffer {
  const milliseconds = time.getTime();
  return messageField(
    field,
    integerField(1, Math.floor(milliseconds / 1000)),
    integerField(2, (milliseconds % 1000) * 1e6),
  );
}

const configUpdates = (config: RunConfig): Buffer[] =>
  Object.entries(config).map(([key, value]) =>
    messageField(1, textField(1, key), textField(16, JSON.stringify(value) ?? "null")),
  );

/** Makes a run's records, each with its content alone; `WandbFile` numbers them. */
export const runRecords = {
  header: (): Buffer =>
    messageField(
      FIELD.header,
      messageField(1, textField(1, FILE_VERSIONS.producer), textField(2, FILE_VERSIONS.minConsumer)),
    ),

  run: (run: RunDescription, config: RunConfig, started: Date): Buffer =>
    messageField(
      FIELD.run,
      textField(1, run.runId),
      ...optionalText(2, run.entity),
      textField(3, run.project),
      messageField(4, ...configUpdates(config)),
      textField(7, JOB_TYPE),
      textField(8, run.displayName),
      ...optionalText(9, run.notes),
      ...run.tags.map((tag) => textField(10, tag)),
      textField(13, run.host),
      timestamp(17, started),
    ),

  /** @param system the operating system, in words */
  environment: (run: RunDescription, system: string, started: Date): Buffer =>
    messageField(
      FIELD.environment,
      textField(1, system),
      timestamp(3, started),
      textField(12, run.host),
      textField(199, run.runId),
    ),

  config: (config: RunConfig): Buffer => messageField(FIELD.config, ...configUpdates(config)),

  /** Tells nothing; on it `wandb sync` 0.24 sends a configuration that has changed. */
  telemetry: (): Buffer => messageField(FIELD.telemetry),

  history: (row: MetricsRow): Buffer => {
    const items = Array.from(rowColumns(row), ([name, json]) =>
      messageField(1, textField(2, name), textField(16, json)),
    );
    return messageField(FIELD.history, ...items, messageField(2, integerField(1, row.step)));
  },

  summary: (row: MetricsRow): Buffer => {
    const runtime = messageField(1, textField(2, "_wandb"), textField(2, "runtime"), textField(16, wholeRuntime(row)));
    const items = Array.from(rowColumns(row), ([name, json]) =>
      messageField(1, textField(2, name), textField(16, json)),
    );
    return messageField(FIELD.summary, ...items, runtime);
  },

  exit: (exitCode: number, runtimeS: number): Buffer =>
    messageField(FIELD.exit, integerField(1, exitCode), integerField(2, Math.floor(runtimeS))),
} as const;

const wholeRuntime = ({ runtimeS }: MetricsRow): string => String(Math.floor(runtimeS));

/** A record in full. */
export const numberedRecord = (number: number, content: Buffer, runId: string): Buffer =>
  Buffer.concat([integerField(FIELD.number, number), content, messageField(FIELD.info, textField(1, runId))]);

/** What matters of a record to a run that continues. */
export type KnownRecord =
  | { readonly kind: "history"; readonly step: number; readonly runtimeS: number | undefined }
  | { readonly kind: "exit" }
  | { readonly kind: "other" };

const bytesIn = (message: Buffer, wanted: number): Buffer[] =>
  readFields(message).flatMap(({ field, value }) => (field === wanted && typeof value !== "number" ? [value] : []));

/** A column of a history record, named by `key` or `nested_key`. */
function readColumn(item: Buffer): readonly [string, number] {
  const texts = new Map(readFields(item).map(({ field, value }) => [field, String(value)]));
  return [texts.get(2) ?? texts.get(1) ?? "", Number(texts.get(16))];
}

/** @throws RangeError if the bytes are no record */
export function readRecord(record: Buffer): KnownRecord {
  if (bytesIn(record, FIELD.exit).length > 0) return { kind: "exit" };
  const [history] = bytesIn(record, FIELD.history);
  if (history === undefined) return { kind: "other" };
  const columns = new Map(bytesIn(history, 1).map(readColumn));
  return { kind: "history", step: columns.get("_step") ?? -1, runtimeS: columns.get("_runtime") };
}
