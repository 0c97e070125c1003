import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

/** Examples are compiled against the built package, as a user's program is: `npm run build` comes first. */
const BUILT = "dist/index.js";
let output: string;
beforeAll(() => {
  if (!existsSync(BUILT)) throw new Error(`${BUILT}: expected the built package, got nothing. Run \`npm run build\``);
  output = mkdtempSync(join(tmpdir(), "reflow-"));
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "examples"], { stdio: "pipe" });
});
afterAll(() => rmSync(output, { recursive: true, force: true }));

it("the example trains a student that comes nearer to its teacher's flow, and saves a whole policy", () => {
  const folders = ["teacher", "dataset-v3.0"].map((name) => `test/fixtures/tiny-smolvla/${name}`);
  const text = execFileSync(process.execPath, ["build/examples/train-a-few-steps.js", ...folders, output], {
    encoding: "utf8",
    env: { OMP_NUM_THREADS: "1", ...process.env },
  });
  expect(text.match(/^step \d+: loss \d\.\d+, gradient norm \d+\.\d+$/gm)).toHaveLength(20);
  const errorOf = (who: string, numSteps: number): number =>
    Number(new RegExp(`^${who} in ${numSteps}: relative error (\\S+),`, "m").exec(text)?.[1]);
  for (const numSteps of [1, 2]) expect(errorOf("student", numSteps)).toBeLessThan(errorOf("teacher", numSteps));
  expect(text).toContain(`saved in ${output}; it predicts [4, 10, 3] in the robot's units`);
  for (const file of ["config.json", "model.safetensors", "policy_preprocessor.json", "policy_postprocessor.json"]) {
    expect(existsSync(join(output, file)), file).toBe(true);
  }
});
