import { it } from "vitest";
import { RUNS, tryTraining, temporaryFolder, filesIn } from "./training-run.js";
const show = async (name: string, f: string, ...flags: string[]) => {
  const t = performance.now();
  const { code, err } = await tryTraining(f, ...flags);
  console.log(`#### ${name} code ${code} ${(performance.now()-t).toFixed(0)}ms\n` + err.split("\n").filter((l) => !/step:\d+ /.test(l) && /WARN|ERROR|health|xpected|rror|went|Going/.test(l)).map((l) => l.slice(0, 420)).join("\n"));
  return f;
};
const probe = ["--eval_freq=4", "--held_out.num_observations=2", "--held_out.num_noises=2", "--held_out.reference_steps=4"];
it("x", async () => {
  const f = temporaryFolder();
  for (const lr of [0.028]) await show("start" + lr, temporaryFolder(), ...RUNS.reflow, `--policy.optimizer_lr=${lr}`, "--steps=14", "--health=backoff");
  for (const lr of [0.02, 0.04, 0.06, 0.1]) {
    const g = temporaryFolder();
    await show("ten", g, ...RUNS.reflow, "--steps=10", "--health=backoff", "--save_freq=5");
    await show("resume" + lr, g, "--resume=true", "--steps=24", `--optimizer.lr=${lr}`, "--policy.scheduler_decay_lr=0");
  }
  for (const lr of [0.003, 0.005, 0.01, 0.02]) { const f = await show("drift" + lr, temporaryFolder(), ...RUNS.reflow, ...probe, `--policy.optimizer_lr=${lr}`, "--steps=12", "--save_freq=2", "--health=backoff");
   console.log(filesIn(f).filter((x) => /model.safetensors/.test(x)).join(" ")); }
  await show("distill", f, ...RUNS.reflow, ...probe, `--policy.optimizer_lr=3e-3`, "--steps=40", "--reflow.stage=distill", "--health=stop");
  await show("nodistill", temporaryFolder(), ...RUNS.reflow, ...probe, `--policy.optimizer_lr=3e-3`, "--steps=40", "--health=stop");
}, 300000);
