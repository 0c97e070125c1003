/** All stages of straightening, one after another through the command: a first flow, 2-RF, 3-RF, distilled. */
import { join } from "node:path";
import { lastCheckpoint, RUNS, trainIn } from "./training-run.js";

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

/** Trains the stages in a folder. */
export async function trainChain(
  folder: string,
  start: keyof typeof STARTS,
  ...flags: readonly string[]
): Promise<Chain> {
  const stage = async (name: Stage, ...own: readonly string[]): Promise<string> => {
    const run = join(folder, name);
    await trainIn(run, ...own, "--steps=2", ...flags);
    return run;
  };
  const after = (teacher: string): string[] => [...REFLOW, `--policy.teacher_model_path=${teacher}`];
  const first = await stage("1-RF", ...STARTS[start]);
  const second = await stage("2-RF", ...after(first));
  const third = await stage("3-RF", ...after(second));
  const distilled = await stage("distilled", ...after(third), "--reflow.stage=distill");
  return { "1-RF": first, "2-RF": second, "3-RF": third, distilled };
}

export const policyOf = (run: string): string => join(lastCheckpoint(run), "pretrained_model");
