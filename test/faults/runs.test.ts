/** Runs with one thing wrong: the gate refuses them, or the health watch says so, and nothing else is said. */
import { readdirSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { Generator, scope } from "../../src/torch/index.js";
import { teacherPairs } from "../../src/train/couplings/teacher.js";
import { withCheckedPairs } from "../../src/train/couplings/with-checked-pairs.js";
import { checkStepZero } from "../../src/train/step-zero-gate.js";
import { loadTeacher, rawBatch } from "../parity/fixture.js";
import { teacherOf } from "../parity/objectives.js";
import { recordsOf } from "../runs/run-results.js";
import { RUNS, teacherWith, temporaryFolder, trainIn, tryTraining } from "../runs/training-run.js";
import { COPY_FAULTS, PAIR_FAULTS, SETTINGS_FAULTS, TEACHER_FAULTS } from "./run-faults.js";

const rows = <F extends { readonly fault: string }>(faults: readonly F[]) =>
  faults.map((fault) => [fault.fault, fault] as const);

describe("the gate refuses", () => {
  it.each(rows(TEACHER_FAULTS))("%s", async (_, { names, spoil }) => {
    const teacher = teacherWith(() => {});
    await spoil(teacher);
    const run = temporaryFolder();
    const { code, err } = await tryTraining(run, ...RUNS.reflow, `--policy.teacher_model_path=${teacher}`, "--steps=1");
    const [refusal, ...others] = err.match(/(?<=step-0 gate: )(?!saving).*(\n {2}- .*)*/g) ?? [];
    expect([code, refusal, others]).toEqual([1, expect.stringContaining(names), []]);
    expect(err).not.toContain("Start training");
    expect(readdirSync(run)).toEqual([]);
  });

  it.each(rows(PAIR_FAULTS))("%s", async (_, { names, change }) => {
    const teacher = await loadTeacher();
    onTestFinished(() => teacher.dispose());
    const coupling = teacherPairs(teacherOf(teacher.model, teacher.config));
    const raw = await rawBatch();
    scope(() => {
      const batch = { tasks: raw.tasks, input: teacher.encode(raw), arrays: raw.arrays, number: 0, step: 0 };
      const context = teacher.model.encodeContext(batch.input);
      const couple = (spoil: typeof change) => {
        using generator = new Generator(1);
        const spoilt = {
          ...coupling,
          couple: (...args: Parameters<typeof coupling.couple>) => spoil(coupling.couple(...args)),
        };
        return withCheckedPairs(spoilt).couple(batch, context, generator);
      };
      expect(couple((pairs) => pairs).noise.shape).toEqual([4, 10, 8]);
      expect(() => couple(change)).toThrow(`step-0 gate: ${names}`);
    });
  });

  it.each(rows(COPY_FAULTS))("%s", async (_, { names, spoil }) => {
    const teacher = await loadTeacher();
    onTestFinished(() => teacher.dispose());
    const refusal = await checkStepZero({
      reference: teacher,
      writeStudent: async (folder) => {
        await teacher.save(folder);
        await spoil(folder);
      },
      observation: await rawBatch(),
      scratchFolder: temporaryFolder(),
      seed: 1,
    }).then(
      () => "",
      ({ message }: Error) => message,
    );
    expect(refusal).toMatch(/^step-0 gate: /);
    expect(refusal).toContain(names);
    expect(/What differs: (.*)/.exec(refusal)?.[1] ?? "").not.toContain(";"); // one thing alone
  });
});

describe("the health watch says", () => {
  it.each(rows(SETTINGS_FAULTS))("%s", async (_, { names, flags }) => {
    const run = temporaryFolder();
    await trainIn(run, ...RUNS.reflow, ...flags);
    const warnings = (await recordsOf(run, "warning")).map(({ message }) => message);
    expect(warnings).toEqual([expect.stringMatching(/^health at step \d+: /)]);
    expect(warnings[0]).toContain(names);
  });
});
