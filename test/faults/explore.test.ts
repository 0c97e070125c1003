import { cpSync, existsSync, mkdirSync } from "node:fs";
import { it } from "vitest";
import { solvedSamples, measureAgreement } from "../../src/eval/index.js";
import { euler, heun, sampleNoise, solve } from "../../src/flow/index.js";
import { LeRobotDataset } from "../../src/data/index.js";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { toModelInput, toTargetActions } from "../../src/policy/model-input.js";
import { runPreprocessor, runPostprocessor } from "../../src/policy/processors/run-pipeline.js";
import { repeatPrefix } from "../../src/smolvla/repeat-prefix.js";
import { sampleObservations } from "../../src/train/held-out.js";
import { teacherPairs, carryNoise } from "../../src/train/couplings/teacher.js";
import type { Coupling } from "../../src/train/couplings/coupling.js";
import { teacherOf } from "../parity/objectives.js";
import { loadTeacher } from "../parity/fixture.js";
import { trainStudent } from "../runs/defect-run.js";
import { tensorFromHost, add, mul, mulScalar, sub, noGrad, scope, slice, constantPad, full, ones, repeatInterleave, Generator, Tensor, reshape, meanOver } from "../../src/torch/index.js";
import { setNumThreads } from "../../src/torch/index.js";
import { timeLawByName, sampleTime, withAtoms, entryWeights, l2 } from "../../src/flow/index.js";
const ROOT = "/tmp/doctor/students";
const of = (couple: Coupling["couple"], numNoises=1): Coupling => ({ numNoises, couple, dispose: () => {} });
async function make(name: string, build: (teacher: SmolVLAPolicy) => Promise<SmolVLAPolicy>) {
  const folder = `${ROOT}/${name}`;
  if (existsSync(folder + "/config.json")) return;
  const teacher = await loadTeacher();
  const t0 = performance.now();
  const s = await build(teacher);
  await s.save(folder);
  console.log(name, "made in", performance.now() - t0);
}
const N = 100, LR = 5e-4;
const u = (n: number, g: Generator) => sampleTime(withAtoms(timeLawByName("u_shaped"), [1], 0.25), n, g);
it("makes", async () => {
  setNumThreads(1);
  mkdirSync(ROOT, { recursive: true });
  if (!existsSync(ROOT + "/base-vlm")) cpSync("test/fixtures/tiny-smolvla/base-vlm", ROOT + "/base-vlm", { recursive: true });
  const opts = (t: SmolVLAPolicy, k = 1) => teacherOf(t.model, t.config, { numNoises: k });
  await make("distilled", async (t) => (await trainStudent(t, teacherPairs(opts(t)), N, LR)).student);
  await make("reflow", async (t) => (await trainStudent(t, teacherPairs(opts(t)), N, LR, { times: u })).student);
  const cut = (x: Tensor) => constantPad(slice(x, -1, 0, 3), [0, 5], 0);
  await make("narrow", async (t) => (await trainStudent(t, of((b, c, g) => { const noise = cut(sampleNoise([b.tasks.length, 10, 8], g)); return { noise, actions: carryNoise(opts(t), b, c, noise) }; }), N, LR, { times: u })).student);
  await make("aliased", async (t) => (await trainStudent(t, of((b, c, g) => { const { actions } = teacherPairs(opts(t)).couple(b, c, g); return { noise: actions, actions }; }), N, LR, { times: u })).student);
  await make("mirrored", async (t) => (await trainStudent(t, of((b, c, g) => { const { noise, actions } = teacherPairs(opts(t)).couple(b, c, g); return { noise, actions: sub(mulScalar(noise, 2), actions) }; }), N, LR)).student);
  await make("swapped", async (t) => (await trainStudent(t, of((b, c, g) => { const { noise, actions } = teacherPairs(opts(t)).couple(b, c, g); return { noise: actions, actions: noise }; }), N, LR, { times: u })).student);
  await make("robot", async (t) => (await trainStudent(t, of((b, c, g) => { const { noise, actions } = teacherPairs(opts(t)).couple(b, c, g);
     const step = t.processors.postprocessor; 
     const real = slice(actions, -1, 0, 3).toHost();
     const robot = runPostprocessor(step, real);
     return { noise, actions: constantPad(Tensor.prototype.constructor ? (await0(robot)) : real as never, [0, 5], 0) }; }), N, LR)).student);
  await make("meaned", async (t) => (await trainStudent(t, of((b, c, g) => { const { actions } = teacherPairs(opts(t)).couple(b, c, g); return { noise: sampleNoise([b.tasks.length, 10, 8], g), actions }; }), N, LR)).student);
  await make("contracted", async (t) => (await trainStudent(t, of((b, c, g) => { const { noise, actions } = teacherPairs(opts(t, 4)).couple(b, c, g); const m = repeatInterleave(meanOver(reshape(actions, [-1, 4, 10, 8]), [1]), 4, 0); return { noise, actions: add(m, mulScalar(sub(actions, m), 0.4)) }; }, 4), N, LR, { times: u })).student);
  await make("masked", async (t) => (await trainStudent(t, teacherPairs(opts(t)), N, LR, { times: u, loss: { distance: l2, weights: entryWeights({ chunkSize: 10, actionDim: 3, maxActionDim: 8, numExecuted: 5, executedWeight: 1, paddedShare: 0 }) } })).student);
  await make("demos", async (t) => (await trainStudent(t, of((b, _c, g) => { const actions = toTargetActions(b.arrays, t.config, "cpu"); return { noise: sampleNoise([b.tasks.length, 10, 8], g), actions }; }), N, LR, { times: u })).student);
  await make("selfish", async (t) => { 
     let st: SmolVLAPolicy | undefined;
     const c: Coupling = of((b, ctx, g) => { const noise = sampleNoise([b.tasks.length, 10, 8], g); return { noise, actions: carryNoise(opts(st ?? t), b, ctx, noise) }; });
     // the student itself makes its targets
     const orig = t.model.withCopiedExpert.bind(t.model);
     (t.model as any).withCopiedExpert = (cfg: any) => { const m = orig(cfg); st = t.with({ model: m }); return m; };
     return (await trainStudent(t, c, N, LR, { times: u })).student; });
}, 600000);

const await0 = (h: any) => tensorFromHost(h);
it("measures", async () => {
  setNumThreads(1);
  const teacher = await loadTeacher();
  await using dataset = await LeRobotDataset.open({ root: "test/fixtures/tiny-smolvla/dataset-v3.0", chunkSize: 10 });
  const obs = await sampleObservations(dataset, 6, {});
  const K = 8, O = 6;
  const names = ["teacher", "distilled", "reflow", "narrow", "aliased", "mirrored", "swapped", "robot", "meaned", "contracted", "masked", "demos", "selfish"];
  scope(() => {
  using g = new Generator(7);
  const noise = sampleNoise([O * K, 10, 8], g);
  const field = (p: SmolVLAPolicy) => { const prefix = noGrad(() => repeatPrefix(p.model.encodePrefix(p.encode(obs)), K)); return (x: Tensor, t: Tensor) => noGrad(() => p.model.velocity(prefix, x, t)); };
  const { arrays } = runPreprocessor(teacher.processors.preprocessor, obs, teacher.tokenizer);
  const actions = repeatInterleave(toTargetActions(arrays, teacher.config, "cpu"), K, 0);
  const ms = (x: Tensor) => { const v = slice(x, -1, 0, 3).toNumbers(); return v.reduce((s, a) => s + a * a, 0) / v.length; };
  const solvedT = solvedSamples(field(teacher), noise, { numNoises: K, numDims: 3, numStepsList: [1, 2, 5, 10, 20], reference: { solver: heun, numSteps: 20 } });
  const tActions = noGrad(() => solve(heun, field(teacher), noise, 20));
  (globalThis as any).go = async () => {};
  for (const name of names) {
    (globalThis as any)[name] = name;
  }
  const run = (name: string, p: SmolVLAPolicy) => {
    const f = field(p);
    const target = sub(noise, actions);
    const t1 = ones([O * K], "float32"), t0 = full([O * K], 0.001, "float32");
    const v1 = f(noise, t1), v0 = f(noise, t0);
    const h = [ms(sub(v1, target)), ms(add(v1, target)), ms(sub(v0, target)), ms(add(v0, target))].map((x) => (x / ms(target)).toFixed(3));
    const ratio = ms(f(tActions, t1)) / ms(field(teacher)(tActions, t1));
    const hs = [0.25, 0.5, 0.75].map((tau) => { const x = add(mulScalar(noise, tau), mulScalar(actions, 1 - tau)); const a = f(x, full([O*K], tau, "float32")), b = f(x, full([O*K], 1 - tau, "float32")); return [ms(sub(a, target)), ms(add(a, target)), ms(sub(b, target)), ms(add(b, target))].map((x) => (x / ms(target)).toFixed(2)).join("/"); });
    const s = solvedSamples(f, noise, { numNoises: K, numDims: 3, numStepsList: [1, 2, 5, 10, 20], reference: { solver: heun, numSteps: 20 } });
    const rows = s.fewSteps.map(({ numSteps, samples }) => { const a = measureAgreement(samples, solvedT.converged); return `${numSteps}: ${a.relativeError!.toFixed(3)}/${a.noiseExplained!.toFixed(2)}/${a.spreadRatio!.toFixed(2)}`; });
    const dbl = [1, 5, 10].map((n) => { const a = s.fewSteps.find((q) => q.numSteps === n)?.samples!, b = s.fewSteps.find((q) => q.numSteps === 2 * n)?.samples; return b ? (Math.sqrt(1 - measureAgreement(a, b).noiseExplained!)).toFixed(2) : "-"; });
    const pad = noGrad(() => solve(euler, f, noise, 10)); const pv = slice(pad, -1, 3, 8).toNumbers(); 
    console.log(name, "hyp", h.join(" "), "|", hs.join(" "), "| zero", ratio.toFixed(3), "|", rows.join("  "), "| doubling", dbl.join(" "), "| padded rms", Math.sqrt(pv.reduce((q, a) => q + a * a, 0) / pv.length).toFixed(3), "real rms", Math.sqrt(ms(pad)).toFixed(3));
  };
  (globalThis as any).run = run;
  run("teacher", teacher);
  });
  for (const name of names.slice(1)) {
    if (!existsSync(`${ROOT}/${name}/config.json`)) continue;
    const p = await SmolVLAPolicy.load(`${ROOT}/${name}`, { device: "cpu" });
    scope(() => {
  using g = new Generator(7);
  const noise = sampleNoise([O * K, 10, 8], g);
  const field = (p: SmolVLAPolicy) => { const prefix = noGrad(() => repeatPrefix(p.model.encodePrefix(p.encode(obs)), K)); return (x: Tensor, t: Tensor) => noGrad(() => p.model.velocity(prefix, x, t)); };
  const { arrays } = runPreprocessor(teacher.processors.preprocessor, obs, teacher.tokenizer);
  const actions = repeatInterleave(toTargetActions(arrays, teacher.config, "cpu"), K, 0);
  const ms = (x: Tensor) => { const v = slice(x, -1, 0, 3).toNumbers(); return v.reduce((s, a) => s + a * a, 0) / v.length; };
  const solvedT = solvedSamples(field(teacher), noise, { numNoises: K, numDims: 3, numStepsList: [1], reference: { solver: heun, numSteps: 20 } });
  const tActions = noGrad(() => solve(heun, field(teacher), noise, 20));
    const f = field(p);
    const target = sub(noise, actions);
    const t1 = ones([O * K], "float32"), t0 = full([O * K], 0.001, "float32");
    const v1 = f(noise, t1), v0 = f(noise, t0);
    const h = [ms(sub(v1, target)), ms(add(v1, target)), ms(sub(v0, target)), ms(add(v0, target))].map((x) => (x / ms(target)).toFixed(3));
    const ratio = ms(f(tActions, t1)) / ms(field(teacher)(tActions, t1));
    const hs = [0.25, 0.5, 0.75].map((tau) => { const x = add(mulScalar(noise, tau), mulScalar(actions, 1 - tau)); const a = f(x, full([O*K], tau, "float32")), b = f(x, full([O*K], 1 - tau, "float32")); return [ms(sub(a, target)), ms(add(a, target)), ms(sub(b, target)), ms(add(b, target))].map((x) => (x / ms(target)).toFixed(2)).join("/"); });
    const s = solvedSamples(f, noise, { numNoises: K, numDims: 3, numStepsList: [1, 2, 5, 10, 20], reference: { solver: heun, numSteps: 20 } });
    const rows = s.fewSteps.map(({ numSteps, samples }) => { const a = measureAgreement(samples, solvedT.converged); return `${numSteps}: ${a.relativeError!.toFixed(3)}/${a.noiseExplained!.toFixed(2)}/${a.spreadRatio!.toFixed(2)}`; });
    const dbl = [1, 5, 10].map((n) => { const a = s.fewSteps.find((q) => q.numSteps === n)?.samples!, b = s.fewSteps.find((q) => q.numSteps === 2 * n)?.samples; return b ? (Math.sqrt(1 - measureAgreement(a, b).noiseExplained!)).toFixed(2) : "-"; });
    const pad = noGrad(() => solve(euler, f, noise, 10)); const pv = slice(pad, -1, 3, 8).toNumbers(); 
    console.log(name, "hyp", h.join(" "), "|", hs.join(" "), "| zero", ratio.toFixed(3), "|", rows.join("  "), "| doubling", dbl.join(" "), "| padded rms", Math.sqrt(pv.reduce((q, a) => q + a * a, 0) / pv.length).toFixed(3), "real rms", Math.sqrt(ms(pad)).toFixed(3));
    });
    p.dispose();
  }
}, 600000);
