import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { formatDuration, startProgress } from "./progress.js";

/** A stream that keeps what is written to it. */
function capture(isTTY: boolean): { stream: Writable & { isTTY: boolean; columns: number }; text: () => string } {
  const chunks: string[] = [];
  const write = (chunk: Buffer, _: string, done: () => void): void => {
    chunks.push(chunk.toString());
    done();
  };
  return { stream: Object.assign(new Writable({ write }), { isTTY, columns: 120 }), text: () => chunks.join("") };
}

describe("progress without a terminal", () => {
  it("is a line every half minute and at the end, with rate and remaining time", () => {
    let ms = 0;
    const { stream, text } = capture(false);
    const progress = startProgress({ total: 100, stream, now: () => ms });
    for (let step = 1; step <= 100; step++) {
      ms += 2000;
      progress.update({ step, loss: 0.5, learningRate: 1e-5 });
    }
    progress.stop();
    const lines = text().trimEnd().split("\n");
    expect(lines[0]).toBe("15% 15/100  loss 0.500  lr 1.0e-05  0.50 it/s  ETA 2m 50s");
    expect(lines.at(-1)).toBe("100% 100/100  loss 0.500  lr 1.0e-05  0.50 it/s  ETA 0s");
    expect(lines).toHaveLength(7);
  });

  it("does not know the remaining time before the second step", () => {
    const { stream, text } = capture(false);
    const progress = startProgress({ total: 1, stream, now: () => 0 });
    progress.update({ step: 1, loss: Number.NaN, learningRate: 0 });
    expect(text()).toBe("100% 1/1  loss nan  lr 0.0e+00  0.00 it/s  ETA ?\n");
  });

  it("averages over slow and fast steps where they come in turns", () => {
    let ms = 0;
    const { stream, text } = capture(false);
    const progress = startProgress({ total: 1000, cycle: 200, stream, now: () => ms });
    for (let step = 1; step <= 600; step++) {
      ms += (step - 1) % 200 < 100 ? 900 : 100;
      progress.update({ step, loss: 0.5, learningRate: 1e-5 });
    }
    progress.stop();
    const paces = [...text().matchAll(/(\d+)\/1000 .* ([\d.]+) it\/s/g)].filter(([, step]) => Number(step) >= 200);
    expect(paces.length).toBeGreaterThan(5);
    for (const [, , pace] of paces) expect(pace).toBe("2.00");
  });

  it("does not count what was done before the first step as one", () => {
    let ms = 0;
    const { stream, text } = capture(false);
    const progress = startProgress({ total: 100, stream, now: () => ms });
    ms = 60_000;
    progress.restart(0);
    ms = 61_000;
    progress.update({ step: 1, loss: 1, learningRate: 1e-4 });
    expect(text()).toContain("1% 1/100  loss 1.000  lr 1.0e-04  1.00 it/s  ETA 1m 39s");
  });

  it("counts the rate from the step at which a run continues", () => {
    let ms = 0;
    const { stream, text } = capture(false);
    const progress = startProgress({ total: 1010, initialStep: 1000, stream, now: () => ms });
    ms = 30_000;
    progress.update({ step: 1005, loss: 1, learningRate: 1e-4 });
    expect(text()).toContain("0.17 it/s  ETA 30s");
  });
});

describe("progress on a terminal", () => {
  it("is a bar that log lines do not disturb", () => {
    let ms = 0;
    const { stream, text } = capture(true);
    const progress = startProgress({ total: 4, stream, now: () => ms });
    ms = 1000;
    progress.update({ step: 1, loss: 0.25, learningRate: 1e-4 });
    progress.writeLine("a log line");
    progress.stop();
    const shown = stripVTControlCharacters(text());
    expect(shown).toContain("█████░░░░░░░░░░░░░░░ 25% 1/4  loss 0.250  lr 1.0e-04  1.00 it/s  ETA 3s");
    expect(shown).toContain("a log line\n█████░");
    expect(shown.endsWith("\n")).toBe(true);
  });

  it("leaves the terminal's line wrapping and cursor as they are", () => {
    const { stream, text } = capture(true);
    const progress = startProgress({ total: 4, stream });
    progress.stop();
    expect(text()).not.toContain("\u001b[?");
  });
});

describe("formatDuration", () => {
  it.each([
    [0.4, "0s"],
    [59.4, "59s"],
    [59.6, "1m 00s"],
    [200, "3m 20s"],
    [3900, "1h 05m"],
    [90_000, "1d 01h"],
    [Number.POSITIVE_INFINITY, "?"],
    [Number.NaN, "?"],
  ])("shows %d seconds as %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});
