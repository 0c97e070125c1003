import { describe, expect, it } from "vitest";
import { formatLogMessage } from "./log-message.js";
import { formatLogLine, MetricsTracker, metricNames, trackTraining } from "./metrics-tracker.js";

const RUN = { batchSize: 8, numFrames: 50_000, numEpisodes: 125 };

describe("MetricsTracker", () => {
  it("counts samples, episodes and epochs from the steps", () => {
    const tracker = trackTraining(RUN);
    for (let i = 0; i < 200; i++) tracker.step();
    expect(tracker.values()).toMatchObject({ steps: 200, samples: 1600, episodes: 4, epochs: 0.032 });
  });

  it("continues the counts of a run that continues", () => {
    const tracker = trackTraining({ ...RUN, initialStep: 1000 });
    tracker.step();
    expect([tracker.steps, tracker.samples, tracker.epochs]).toEqual([1001, 8008, 8008 / 50_000]);
  });

  it("averages what came since the last reset, by weight", () => {
    const tracker = trackTraining(RUN);
    tracker.update("loss", 9);
    tracker.resetAverages();
    expect(tracker.average("loss")).toBe(0);
    tracker.update("loss", 1, 3);
    tracker.update("loss", 5);
    expect(tracker.average("loss")).toBe(2);
  });

  it("takes other meters than those of training", () => {
    const meters = { success: { label: "success", format: (value: number) => value.toFixed(1) } };
    const tracker = new MetricsTracker({ ...RUN, initialStep: 3 }, meters);
    tracker.update("success", 87.5);
    expect(formatLogLine(tracker)).toBe("step:3 smpl:24 ep:0 epch:0.00 success:87.5");
  });
});

describe("formatLogLine", () => {
  it("prints the line that LeRobot 0.4 prints", () => {
    const tracker = trackTraining({ ...RUN, initialStep: 199 });
    tracker.update("dataloading_s", 0.004);
    tracker.update("loss", 0.123);
    tracker.update("grad_norm", 0.456);
    tracker.update("lr", 1e-5);
    tracker.update("update_s", 0.123);
    tracker.step();
    expect(formatLogLine(tracker)).toBe(
      "step:200 smpl:2K ep:4 epch:0.03 loss:0.123 grdn:0.456 lr:1.0e-05 updt_s:0.123 data_s:0.004",
    );
  });
});

describe("metricNames", () => {
  it("gives the names that LeRobot's dashboards use", () => {
    expect(Object.keys(metricNames("train", trackTraining(RUN).values()))).toEqual([
      "train/steps",
      "train/samples",
      "train/episodes",
      "train/epochs",
      "train/loss",
      "train/grad_norm",
      "train/lr",
      "train/update_s",
      "train/dataloading_s",
    ]);
    expect(metricNames("eval", { pc_success: 50 })).toEqual({ "eval/pc_success": 50 });
  });
});

describe("formatLogMessage", () => {
  const time = new Date(2025, 7, 3, 4, 5, 9);

  it("prints level, local time, the last 15 characters of the place, and the message", () => {
    expect(formatLogMessage("INFO", time, "src/train/training-loop.ts:333", "step:200")).toBe(
      "INFO 2025-08-03 04:05:09 ing-loop.ts:333 step:200",
    );
  });

  it("pads a short place on the left", () => {
    expect(formatLogMessage("WARNING", time, "loop.ts:3", "slow")).toBe(
      "WARNING 2025-08-03 04:05:09       loop.ts:3 slow",
    );
  });
});
