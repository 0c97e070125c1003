/** The solver with which the teacher makes the student's targets. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SOLVERS, solve } from "../../src/flow/index.js";
import { scope, tensorFromHost } from "../../src/torch/index.js";
import { TRAIN_SCHEMA } from "../../src/train/config-schema.js";
import { carryNoise } from "../../src/train/couplings/teacher.js";
import { largestDifference, loadTeacher, rawBatch, recorded, relativeL2 } from "../parity/fixture.js";
import { teacherOf } from "../parity/objectives.js";
import { RUNS, train } from "./training-run.js";

it("is any of the solvers there are, by its own name", () => {
  for (const { name } of SOLVERS) {
    expect(TRAIN_SCHEMA.parse({ reflow: { teacher_solver: name } }).reflow.teacher_solver).toBe(name);
  }
});

it("carries the noise where it carries it in the deployment path, and rk4 comes nearer to the true flow", async () => {
  const teacher = await loadTeacher();
  const noise = (await recorded("parity/forward.safetensors")).get("noise")!;
  const raw = await rawBatch();
  scope(() => {
    const input = teacher.encode(raw);
    const batch = { input, arrays: {}, tasks: raw.tasks, number: 0, step: 0 };
    const start = tensorFromHost(noise);
    const context = teacher.model.encodeContext(input);
    const truth = teacher.sampleActions(input, start, 200);
    const error = (name: string): number => {
      const solver = SOLVERS.find((candidate) => candidate.name === name)!;
      const target = carryNoise(teacherOf(teacher.model, teacher.config, { solver }), batch, context, start);
      expect(largestDifference(target, solve(solver, teacher.velocityField(input), start, 10))).toBeLessThan(1e-5);
      return relativeL2(target, truth);
    };
    const errors = Object.fromEntries(SOLVERS.map(({ name }) => [name, error(name)]));
    expect(errors.rk4).toBeLessThan(errors.euler! / 2);
  });
  teacher.dispose();
});

it("is recorded with the student, and makes another student", async () => {
  const weights = async (solver: string): Promise<string> => {
    const run = await train(...RUNS.reflow, "--steps=1", `--reflow.teacher_solver=${solver}`);
    const policy = join(run, "checkpoints/last/pretrained_model");
    const { pairs } = JSON.parse(readFileSync(join(policy, "reflow.json"), "utf8")) as { pairs: unknown };
    expect(pairs).toMatchObject({ solver, grid: "uniform", numSteps: 2, paddedDims: "teacher", source: "fresh" });
    return readFileSync(join(policy, "model.safetensors")).toString("latin1");
  };
  expect(await weights("midpoint")).not.toBe(await weights("euler"));
});
