import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readRecords } from "./read-records.js";
import { type RunEvent, type RunStartEvent, recordFromLine, recordToLine } from "./run-event.js";
import { RunRecorder } from "./run-recorder.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "records-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const now = (): Date => new Date("2025-08-03T04:05:09.000Z");
const time = "2025-08-03T04:05:09.000Z";
const start = (step: number): RunStartEvent => ({ event: "run-start", step, config: {}, versions: { node: "20" } });
const loss = (step: number, value = 0.5): RunEvent => ({ event: "step", step, metrics: { "train/loss": value } });

function recordAll(...events: RunEvent[]): string {
  using recorder = new RunRecorder(folder, { now });
  for (const event of events) recorder.record(event);
  return recorder.path;
}

describe("RunRecorder", () => {
  it("writes one event per line, and they are read back as they were", async () => {
    const events: RunEvent[] = [
      { event: "run-start", step: 0, config: { batch_size: 8, job_name: "NaN" }, versions: { "reflow-vla": "0.1.0" } },
      loss(1),
      { event: "warning", step: 1, message: "two\nlines" },
      { event: "checkpoint", step: 2, path: "checkpoints/000002" },
      { event: "evaluation", step: 2, metrics: { "eval/action_error": 0.25 } },
      { event: "end", step: 2, reason: "failed", message: "disk full" },
    ];
    const path = recordAll(...events);
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(events.length + 1);
    expect(await readRecords(path)).toEqual({
      records: events.map((event) => ({ ...event, time })),
      droppedLines: [],
    });
  });

  it("creates the run's folder", async () => {
    using recorder = new RunRecorder(join(folder, "outputs", "run"));
    recorder.record(start(0));
    expect((await readRecords(recorder.path)).records).toHaveLength(1);
  });

  it("starts on a fresh line after a torn one", async () => {
    const path = recordAll(start(0), loss(1));
    appendFileSync(path, '{"event":"step","step":2,"met');
    recordAll(loss(3));
    const { records, droppedLines } = await readRecords(path);
    expect(records.map(({ step }) => step)).toEqual([0, 1, 3]);
    expect(droppedLines).toEqual([3]);
  });

  it("refuses a folder in which it cannot write", () => {
    writeFileSync(join(folder, "file"), "");
    expect(() => new RunRecorder(join(folder, "file"))).toThrow(
      /file\/records\.jsonl: cannot be opened for writing \(/,
    );
  });

  it.skipIf(!existsSync("/dev/full"))("says so when the disk is full", () => {
    symlinkSync("/dev/full", join(folder, "records.jsonl"));
    using recorder = new RunRecorder(folder);
    expect(() => recorder.record(loss(1))).toThrow(/records\.jsonl: cannot be written \(ENOSPC/);
  });

  it("refuses events after it was closed", () => {
    const recorder = new RunRecorder(folder);
    recorder.close();
    recorder.close();
    expect(() => recorder.record(loss(1))).toThrow("internal: RunRecorder.record: the recorder is closed");
  });
});

describe("readRecords", () => {
  it("drops a torn last line, wherever a crash cut it", async () => {
    const path = recordAll(start(0), loss(1), loss(2));
    const whole = readFileSync(path, "utf8");
    const lastLine = whole.lastIndexOf("{", whole.lastIndexOf('"event"'));
    for (let length = lastLine + 1; length < whole.length - 1; length++) {
      writeFileSync(path, whole.slice(0, length));
      expect(await readRecords(path)).toMatchObject({ records: [{ step: 0 }, { step: 1 }], droppedLines: [3] });
    }
    writeFileSync(path, whole.slice(0, -1));
    expect((await readRecords(path)).records).toHaveLength(3);
  });

  it("leaves out what a run that continued has repeated", async () => {
    const path = recordAll(start(0), loss(1), loss(2), loss(3), start(2), loss(3, 0.25));
    expect((await readRecords(path)).records).toMatchObject([
      { event: "run-start", step: 0 },
      { step: 1 },
      { step: 2 },
      { event: "run-start", step: 2 },
      { step: 3, metrics: { "train/loss": 0.25 } },
    ]);
    expect((await readRecords(path, { keepSuperseded: true })).records).toHaveLength(6);
  });

  it("leaves out everything before a run that began again", async () => {
    const path = recordAll(start(0), loss(1), start(0), loss(2));
    expect((await readRecords(path)).records.map(({ step }) => step)).toEqual([0, 2]);
  });

  it("drops lines that are no records, and says which", async () => {
    const path = recordAll(start(0));
    const lines = ["null", "[]", '{"event":"later"}', '{"event":"step","step":1.5,"time":"t","metrics":{}}'];
    appendFileSync(path, [...lines, '{"event":"step","step":1,"time":"t"}', '{"event":"toString"}', ""].join("\n"));
    expect(await readRecords(path)).toMatchObject({ records: [{ step: 0 }], droppedLines: [2, 3, 4, 5, 6, 7] });
  });

  it("names a file that is missing or no file", async () => {
    await expect(readRecords(join(folder, "records.jsonl"))).rejects.toThrow(/records\.jsonl: file not found$/);
    await expect(readRecords(folder)).rejects.toThrow(/: cannot be read \(/);
  });
});

describe("a line", () => {
  it("holds every double, also those that JSON has no word for", () => {
    const numbers = fc.dictionary(
      fc.string({ minLength: 1 }).filter((name) => name !== "__proto__"),
      fc.double(),
    );
    fc.assert(
      fc.property(numbers, fc.nat(), (metrics, step) => {
        const read = recordFromLine(recordToLine({ event: "step", step, metrics, time }));
        const zeroSigned = Object.entries(metrics).map(([name, value]) => [name, value === 0 ? 0 : value]);
        expect(read).toEqual({ event: "step", step, metrics: Object.fromEntries(zeroSigned), time });
      }),
    );
  });

  it("spells NaN and the infinities as words", () => {
    const metrics = { a: Number.NaN, b: Number.POSITIVE_INFINITY, c: Number.NEGATIVE_INFINITY };
    expect(recordToLine({ event: "step", step: 1, metrics, time })).toBe(
      `{"event":"step","step":1,"metrics":{"a":"NaN","b":"Infinity","c":"-Infinity"},"time":"${time}"}`,
    );
  });
});
