/** Folders with one thing wrong: the doctor names that, and nothing else. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { changedCopy, DATASET, lastCheckpoint, RUNS, teacherWith, trainIn } from "../runs/training-run.js";
import { alarmIds } from "./diagnosed.js";
import { FOLDER_FAULTS, type Folders } from "./folder-faults.js";

let run: string;
beforeAll(async () => {
  run = mkdtempSync(join(tmpdir(), "reflow-faults-"));
  await trainIn(run, ...RUNS.reflow, "--policy.reflow_num_inference_steps=10", "--steps=3");
});
afterAll(() => rmSync(run, { recursive: true }));

/** Copies of a good teacher, a good student of it and their dataset. */
function goodFolders(): Folders {
  const teacher = teacherWith(() => {});
  const checkpoint = changedCopy(realpathSync(lastCheckpoint(run)), () => {});
  const dataset = changedCopy(DATASET, () => {});
  return { teacher, student: join(checkpoint, "pretrained_model"), dataset };
}

it("nothing is wrong with the folders that are spoilt below", async () => {
  const { teacher, student, dataset } = goodFolders();
  expect(await alarmIds({ teacher, student, dataset: { root: dataset } })).toEqual([]);
});

describe("the doctor names, and nothing else", () => {
  it.each(FOLDER_FAULTS.map((fault) => [`${fault.names}: ${fault.fault}`, fault] as const))("%s", async (_, fault) => {
    const folders = goodFolders();
    await fault.inject(folders);
    const given = fault.given ?? ["teacher", "student", "dataset"];
    const student = given.filter((name) => name !== "dataset")[1];
    const found = await alarmIds({
      teacher: folders.teacher,
      ...(student === undefined ? {} : { student: folders[student] }),
      dataset: { root: folders.dataset },
      numObservations: 3,
      numNoises: 5,
    });
    expect(found).toEqual([fault.names]);
  });
});
