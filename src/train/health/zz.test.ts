import { it } from "vitest";
import { recordedRuns, replay, watchOf } from "./testing/recorded-runs.js";

it("prints", () => {
  for (const run of recordedRuns()) {
    for (const parts of [{}, { weights: false, evaluations: false }]) {
      const f = replay(run, watchOf(run), { parts });
      process.stdout.write(
        `${run.verdict} | ${run.name} ${JSON.stringify(parts)}\n${f.map((x) => `      ${x.severity} ${x.kind} @${x.step} good<=${x.lastGoodStep} ${x.message}. ${x.advice}\n`).join("")}`,
      );
    }
  }
});
