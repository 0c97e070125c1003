import { expect, it } from "vitest";
import type { EvaluationEvent, StepEvent } from "../run-event.js";
import { columnsToJson, RowGatherer, rowColumns } from "./metrics-row.js";

const step = (at: number, loss: number): StepEvent => ({ event: "step", step: at, metrics: { "train/loss": loss } });
const evaluation = (at: number): EvaluationEvent => ({ event: "evaluation", step: at, metrics: { error: 2 } });

function gatherer(lastStep = -1): RowGatherer {
  let seconds = 0;
  return new RowGatherer({ runtimeS: () => seconds++, timeS: () => 100 }, lastStep);
}

it("what is measured at one step becomes one row, complete when a later step comes", () => {
  const rows = gatherer();
  expect(rows.add(step(10, 1))).toBeUndefined();
  expect(rows.add(evaluation(10))).toBeUndefined();
  const metrics = { "train/loss": 1, "eval/error": 2 };
  expect(rows.add(step(20, 3))).toEqual({ step: 10, metrics, runtimeS: 1, timeS: 100 });
  expect(rows.take()).toEqual({ step: 20, metrics: { "train/loss": 3 }, runtimeS: 2, timeS: 100 });
  expect(rows.take()).toBeUndefined();
});

it("steps that do not rise are left out", () => {
  const rows = gatherer(20);
  expect([10, 20, 30].map((at) => rows.add(step(at, at)))).toEqual([undefined, undefined, undefined]);
  expect(rows.add(evaluation(25))).toBeUndefined();
  expect(rows.take()).toMatchObject({ step: 30, metrics: { "train/loss": 30 } });
  expect(rows.add(evaluation(30))).toBeUndefined();
  expect(rows.take()).toBeUndefined();
});

it("a row spells NaN and the infinities as Python does", () => {
  const metrics = { "a/0.9-1.0": Number.NaN, b: Number.POSITIVE_INFINITY, c: Number.NEGATIVE_INFINITY, 'd"': 1e-9 };
  expect(columnsToJson(rowColumns({ step: 3, metrics, runtimeS: 0.5, timeS: 100 }))).toBe(
    '{"a/0.9-1.0":NaN,"b":Infinity,"c":-Infinity,"d\\"":1e-9,"_step":3,"_runtime":0.5,"_timestamp":100}',
  );
});
