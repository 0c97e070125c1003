import { describe, expect, it } from "vitest";
import type { StepEvent } from "../records/run-event.js";
import { lossByTime } from "./loss-by-time.js";

const step = (number: number, losses: Readonly<Record<string, number>>): StepEvent => ({
  event: "step",
  step: number,
  metrics: {
    "train/loss": 1,
    ...Object.fromEntries(Object.entries(losses).map(([bin, loss]) => [`train/loss_at_time/${bin}`, loss])),
  },
});

describe("lossByTime", () => {
  it("is a table of bins from small to large, with the time 1 itself at the end, and gaps where no sample fell", () => {
    const table = lossByTime([step(10, { "1": 3, "0.9-1.0": 2, "0.0-0.1": 1 }), step(20, { "0.0-0.1": 0.5 })]);
    expect(table).toEqual({
      bins: ["0.0-0.1", "0.9-1.0", "1"],
      steps: [10, 20],
      values: [
        [1, 0.5],
        [2, null],
        [3, null],
      ],
    });
  });

  it("takes means where a run has more records than columns", () => {
    const table = lossByTime(Array.from({ length: 240 }, (_, i) => step(i + 1, { "0.0-0.1": i % 2 })))!;
    expect(table.steps).toHaveLength(120);
    expect(table.values).toEqual([Array.from({ length: 120 }, () => 0.5)]);
  });

  it("is nothing for a run without it", () => {
    expect(lossByTime([step(1, {})])).toBeUndefined();
  });
});
