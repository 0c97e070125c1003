/** Students that were taught something wrong: the doctor or the health watch names that, and nothing else. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { HealthWatch } from "../../src/train/health/index.js";
import { agreementRows } from "../../src/train/held-out.js";
import { loadTeacher } from "../parity/fixture.js";
import { openTeacherProbe, type TrainedStudent } from "../runs/defect-run.js";
import { BASE_VLM } from "../runs/training-run.js";
import { alarmIds } from "./diagnosed.js";
import { editText } from "./edit-policy.js";
import { STUDENTS, TRAINED_FAULTS } from "./trained-faults.js";

// Students are trained within their tests, which takes long where others compute too.
vi.setConfig({ testTimeout: 600_000 });

let root: string;
let teacher: SmolVLAPolicy;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "reflow-faults-"));
  cpSync(BASE_VLM, join(root, "base-vlm"), { recursive: true });
  teacher = await loadTeacher();
});
afterAll(() => {
  teacher.dispose();
  rmSync(root, { recursive: true });
});

/** Samples enough to tell students apart that differ little. */
const MANY = { numObservations: 6, numNoises: 8 };

const trained = new Map<string, TrainedStudent>();

/** A student, and the folder it is saved in, as another program would leave it. */
async function studentOf(name: keyof typeof STUDENTS): Promise<TrainedStudent & { readonly folder: string }> {
  const folder = join(root, name.replaceAll(/\W/g, "-"));
  const student = trained.get(name) ?? (await STUDENTS[name](teacher));
  if (!trained.has(name)) await student.student.save(folder);
  trained.set(name, student);
  return { ...student, folder };
}

/** What the watch finds in a student's losses, and in its samples before and after. */
async function findings({ losses, student }: TrainedStudent): Promise<readonly string[]> {
  const learningRate = 5e-4;
  const probe = await openTeacherProbe(teacher);
  const watch = new HealthWatch({ numSteps: losses.length, schedule: () => learningRate });
  const agreement = (policy: SmolVLAPolicy) =>
    agreementRows(probe.measure(policy)).filter(({ numSteps }) => [1, 10].includes(numSteps));
  const found = [
    ...watch.observeEvaluation(agreement(teacher)),
    ...losses.flatMap((loss, i) => watch.observe({ step: i + 1, loss, gradNorm: 1, learningRate })),
    ...watch.observeEvaluation(agreement(student)),
  ];
  return [...new Set(found.map(({ kind }) => kind))];
}

describe("students that were taught rightly", () => {
  it("alarm nobody", async () => {
    const good = await studentOf("good");
    expect([await alarmIds({ student: good.folder, ...MANY }), await findings(good)]).toEqual([[], []]);
  });

  it("alarm nobody when they were distilled, and take one step", async () => {
    const { folder } = await studentOf("distilled");
    const one = join(root, "one-step");
    cpSync(folder, one, { recursive: true });
    editText(join(one, "config.json"), '"num_steps": 10', '"num_steps": 1');
    expect(await alarmIds({ student: one, ...MANY })).toEqual([]);
  });
});

describe("named, and nothing else", () => {
  it.each(TRAINED_FAULTS.map((fault) => [`${fault.who}: ${fault.names}: ${fault.fault}`, fault] as const))(
    "%s",
    async (_, { who, names, student }) => {
      const spoilt = await studentOf(student);
      const named = who === "doctor" ? await alarmIds({ student: spoilt.folder, ...MANY }) : await findings(spoilt);
      expect(named).toEqual([names]);
    },
  );
});
