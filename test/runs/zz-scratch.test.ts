
import { describe, expect, it, onTestFinished } from "vitest";
import { euler, sampleNoise, solve } from "../../src/flow/index.js";
import { actionDim } from "../../src/smolvla/config.js";
import { constantPad, Generator, noGrad, scope, slice, type Tensor } from "../../src/torch/index.js";
import type { Coupling } from "../../src/train/couplings/coupling.js";
import { carryNoise, teacherPairs } from "../../src/train/couplings/teacher.js";
import { loadTeacher } from "../parity/fixture.js";
import { teacherOf } from "../parity/objectives.js";
import { openTeacherProbe, trainStudent } from "./defect-run.js";
import type { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";

it("probe", async () => {
  const teacher = await loadTeacher();
  const { config } = teacher;
  const numReal = actionDim(config);
  const options = teacherOf(teacher.model, config);
  const realOnly = (x: Tensor) => constantPad(slice(x, -1, 0, numReal), [0, config.maxActionDim - numReal], 0);
  const narrow: Coupling = {
    numNoises: 1,
    couple: (batch, context, generator) => {
      const noise = realOnly(sampleNoise([batch.tasks.length, config.chunkSize, config.maxActionDim], generator));
      return { noise, actions: realOnly(carryNoise(options, batch, context, noise)) };
    },
    dispose: () => {},
  };
  const aliased: Coupling = {
    numNoises: 1,
    couple: (batch, context, generator) => {
      const noise = sampleNoise([batch.tasks.length, config.chunkSize, config.maxActionDim], generator);
      const actions = carryNoise(options, batch, context, noise);
      return { noise: actions, actions };
    },
    dispose: () => {},
  };
  const swapped: Coupling = {
    numNoises: 1,
    couple: (batch, context, generator) => {
      const noise = sampleNoise([batch.tasks.length, config.chunkSize, config.maxActionDim], generator);
      const actions = carryNoise(options, batch, context, noise);
      return { noise: actions, actions: noise };
    },
    dispose: () => {},
  };
  const probe = await openTeacherProbe(teacher);
  console.log("teacher", probe.measure(teacher));
  for (const [lr, n] of [[3e-4, 100],[5e-4,150],[3e-4,250]] as const) for (const [name, c] of Object.entries({ right: teacherPairs(options), narrow })) {
    const t0 = Date.now();
    const { student, losses } = await trainStudent(teacher, c, n, lr);
    const mean = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;
    console.log(name, n, lr, Date.now() - t0, "ms", mean(losses.slice(0,30)).toFixed(4), mean(losses.slice(-30)).toFixed(4), JSON.stringify(probe.measure(student)));
  }
}, 300_000);
