import { type Check, ok, warning } from "../check.js";
import type { Patient } from "../patient.js";

const sayOf = ({ role, config }: Patient): string =>
  `${role}: num_steps ${config!.numSteps}, n_action_steps ${config!.nActionSteps} of ${config!.chunkSize}`;

export const deployment: Check = {
  id: "deployment",
  title: "It is known with how many steps and actions both are run",
  after: ["teacher-files", "student-files"],
  run: ({ teacher, student, patients }) => {
    const evidence = patients.map(sayOf).join("; ");
    if (student !== undefined && student.config!.nActionSteps !== teacher.config!.nActionSteps) {
      return warning(
        evidence,
        "With other n_action_steps a policy looks at the world more or less often: success of the two cannot be compared. Set " +
          "both alike",
      );
    }
    return ok(evidence);
  },
};
