/** All stages of straightening, one after another through the command: a first flow, 2-RF, 3-RF, distilled. */
import { join } from "node:path";
import { lastCheckpoint, RUNS, train } from "./training-run.js";

export const STAGES = ["1-RF", "2-RF", "3-RF", "distilled"] as const;
export type Stage = (typeof STAGES)[number];

/** Where a first flow can begin. */
export const STARTS = {
  "a base model": RUNS["flow matching of a new policy"],
  nothing: [...RUNS["flow matching of a new policy"], "--policy.load_vlm_weights=false"],
  "a trained policy": RUNS["flow matching"],
} as const;

/** The runs' folders by stage; every teacher is given as the folder of the run before. */
export type Chain = Readonly<Record<Stage, string>>;

const REFLOW = RUNS.reflow.filter((flag) => !flag.startsWith("--policy.teacher_model_path"));

export async function trainChain(start: keyof typeof STARTS, ...flags: readonly string[]): Promise<Chain> {
  const after = (teacher: string, ...own: string[]): Promise<string> =>
    train(...REFLOW, `--policy.teacher_model_path=${teacher}`, "--steps=2", ...own, ...flags);
  const first = await train(...STARTS[start], "--steps=2", ...flags);
  const second = await after(first);
  const third = await after(second);
  return { "1-RF": first, "2-RF": second, "3-RF": third, distilled: await after(third, "--reflow.stage=distill") };
}

export const policyOf = (run: string): string => join(lastCheckpoint(run), "pretrained_model");
