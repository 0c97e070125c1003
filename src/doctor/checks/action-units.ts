import { measureAgreement } from "../../eval/index.js";
import { runPostprocessor } from "../../policy/processors/run-pipeline.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { leavesTeacher } from "../agreements.js";
import { type Check, fault, ok, percent } from "../check.js";
import { samplesAt } from "../examination.js";
import { AFTER_STUDENT } from "./order.js";

/** Of the actions' size in the robot's units: beside large ones, whatever is small is "nearer" without being near. */
const NEAR = 0.5;

export const actionUnits: Check = {
  id: "action-units",
  title: "The student gives normalised actions, as its teacher does",
  needs: ["student", "dataset", "teacher network", "student network"],
  after: AFTER_STUDENT,
  run: (examination) => {
    const { teacher, student } = examination;
    const { numSteps } = student!.config!;
    const [mine, theirs] = [samplesAt(examination.studentSamples(), numSteps), examination.teacherSamples().converged];
    const [O, K, A, M] = theirs.shape as [number, number, number, number];
    const robot = runPostprocessor(
      teacher.policy!.processors.postprocessor,
      hostArray("float32", [O * K, A, M], theirs.data as Float32Array<ArrayBuffer>),
    );
    const errorTo = (reference: HostArray): number => measureAgreement(mine, reference).relativeError ?? 0;
    const [normalised, raw] = [
      errorTo(theirs),
      errorTo(hostArray("float32", theirs.shape, robot.data as Float32Array<ArrayBuffer>)),
    ];
    const evidence = `error ${percent(normalised)} beside the teacher's normalised actions, ${percent(raw)} beside those in the robot's units`;
    return raw < NEAR && raw < normalised && leavesTeacher(examination)
      ? fault(
          evidence,
          "Its targets were in the robot's units, and un-normalising them again sends something else to the robot. Train on " +
            "normalised actions, as the teacher's network gives them",
        )
      : ok(evidence);
  },
};
