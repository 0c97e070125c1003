import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TensorBoardSink } from "./tensorboard-sink.js";

let runFolder: string;
beforeEach(() => {
  runFolder = mkdtempSync(join(tmpdir(), "tensorboard-"));
});
afterEach(() => rmSync(runFolder, { recursive: true }));

const open = (seconds: number): TensorBoardSink =>
  new TensorBoardSink({ runFolder, onMessage: () => {}, now: () => new Date(seconds * 1000) });

it("each part of a run has a file whose name sorts behind the earlier ones, also when the clock was set back", async () => {
  const paths: string[] = [];
  for (const seconds of [1_754_193_909, 1_754_193_909, 1_700_000_000]) {
    const sink = open(seconds);
    paths.push(sink.path);
    await sink.close();
  }
  expect(paths.map((path) => /events\.out\.tfevents\.(\d+)\./.exec(path)?.[1])).toEqual([
    ...["1754193909", "1754193910", "1754193911"],
  ]);
  expect(readdirSync(join(runFolder, "tensorboard")).sort()).toEqual(paths.map((path) => path.split("/").at(-1)));
});

it("events after closing are ignored", async () => {
  const sink = open(1);
  await sink.close();
  await sink.close();
  expect(() => sink.record({ event: "step", step: 1, metrics: { "train/loss": 1 } })).not.toThrow();
});

it("a folder that cannot be made is told at once", () => {
  writeFileSync(join(runFolder, "tensorboard"), "");
  expect(() => open(1)).toThrow(/tensorboard: expected a folder to write event files in, got EEXIST/);
});
