import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CheckpointError } from "../../support/errors.js";
import { checkStepZero } from "../../train/step-zero-gate.js";
import { type Check, fault, ok } from "../check.js";
import { AFTER_TEACHER } from "./order.js";

export const savedCopy: Check = {
  id: "saved-copy",
  title: "An untouched copy of the teacher, saved and loaded again, does what the teacher does",
  needs: ["teacher network"],
  after: AFTER_TEACHER,
  run: async (examination) => {
    const policy = examination.teacher.policy!;
    const scratch = await mkdtemp(join(tmpdir(), "reflow-doctor-"));
    try {
      await checkStepZero({
        reference: policy,
        writeStudent: (folder) => policy.save(folder),
        observation: examination.anyObservation(policy),
        scratchFolder: join(scratch, "copy"),
        seed: examination.seed,
      });
      return ok("configuration, processors, weights and actions in the robot's units are equal");
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      return fault(
        error.message,
        "Repair what it names in the teacher's folder. Nothing trained from it can be right before",
      );
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  },
};
