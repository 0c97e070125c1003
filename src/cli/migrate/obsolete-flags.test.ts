import { describe, expect, it } from "vitest";
import { parseOverrides } from "../overrides.js";
import { obsoleteFlags } from "./obsolete-flags.js";

const flags = (...args: string[]): readonly string[] => obsoleteFlags(parseOverrides(args));
const REFLOW = ["--policy.use_reflow=true", "--policy.teacher_model_path=t"];
const BOTH = ["--policy.load_vlm_weights=false", "--policy.train_expert_only=true"];

describe("obsoleteFlags", () => {
  it("says in one line each why a reflow run does not need them", () => {
    expect(flags(...REFLOW, ...BOTH)).toEqual([
      "policy.load_vlm_weights=false is not needed with reflow: all weights of the student come from its teacher, none from a base model",
      "policy.train_expert_only=true is not needed with reflow: the student shares its teacher's vision-language model, so only " +
        "its action expert can be trained",
    ]);
    expect(flags(...REFLOW, ...BOTH, "--policy.path=t")).toHaveLength(2);
  });

  it("is silent where they matter", () => {
    for (const args of [
      BOTH,
      [...BOTH, "--policy.use_reflow=false"],
      [...REFLOW, "--policy.load_vlm_weights=true", "--policy.train_expert_only=false"],
      [...REFLOW, ...BOTH, "--policy.student_init=vlm"],
      [...REFLOW, ...BOTH, "--policy.path=other"],
      ["--policy=x", ...REFLOW.slice(0, 0)],
      [],
    ]) {
      expect([args, flags(...args)]).toEqual([args, []]);
    }
  });
});
