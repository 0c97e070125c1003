import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readFramedRecords } from "./log-frames.js";
import { readRecord, runRecords } from "./run-records.js";
import { WandbFile } from "./wandb-file.js";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wandb-file-"));
  path = join(folder, "run-abc.wandb");
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (file: WandbFile, ...steps: readonly number[]): void => {
  for (const step of steps) {
    const row = { step, metrics: { "train/loss": 1 }, runtimeS: step / 10, timeS: 100 };
    file.write(runRecords.history(row));
    file.write(runRecords.summary(row));
  }
};

const stepsIn = (bytes: Buffer): (number | "exit")[] =>
  Array.from(readFramedRecords(bytes), ({ record }) => readRecord(record)).flatMap(
    (known) => (known.kind === "history" ? [known.step] : known.kind === "exit" ? ["exit"] : []) as (number | "exit")[],
  );

it("a run that continues is cut after its step and its end taken off", () => {
  const first = WandbFile.create(path, "abc");
  write(first, 10, 20, 30, 40);
  first.write(runRecords.exit(1, 4));
  first.close();
  expect(stepsIn(readFileSync(path))).toEqual([10, 20, 30, 40, "exit"]);
  const second = WandbFile.continueAfter(path, "abc", 25);
  expect(second).toMatchObject({ lastStep: 20, lastRuntimeS: 2 });
  write(second, 30);
  second.close();
  expect(stepsIn(readFileSync(path))).toEqual([10, 20, 30]);
  const third = WandbFile.continueAfter(path, "abc", 99);
  expect(third).toMatchObject({ lastStep: 30, lastRuntimeS: 3 });
  third.close();
});

it("a run that continues loses what a crash has torn, wherever it was torn", () => {
  const first = WandbFile.create(path, "abc");
  write(first, 10);
  first.close();
  const whole = readFileSync(path);
  write(WandbFile.continueAfter(path, "abc", 10), 20);
  const torn = readFileSync(path).subarray(whole.length);
  for (let length = 1; length < torn.length; length += 5) {
    writeFileSync(path, whole);
    appendFileSync(path, torn.subarray(0, length));
    const file = WandbFile.continueAfter(path, "abc", 50);
    write(file, 60);
    file.close();
    expect(stepsIn(readFileSync(path)).at(-1)).toBe(60);
  }
});

it("names a file that is none, or exists already", () => {
  writeFileSync(path, "something else");
  expect(() => WandbFile.continueAfter(path, "abc", 1)).toThrow(
    /run-abc\.wandb: expected a file of Weights & Biases, got one that begins differently$/,
  );
  expect(() => WandbFile.create(path, "abc")).toThrow(/run-abc\.wandb: cannot be written \(EEXIST/);
});
