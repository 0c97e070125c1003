import { configWarnings } from "../../smolvla/config.js";
import { type Check, fault, type Outcome, ok, skipped, warning } from "../check.js";
import type { Patient } from "../patient.js";

const WHOLE =
  "A policy folder holds config.json, model.safetensors, policy_preprocessor.json, policy_postprocessor.json and the files that " +
  "these name. Copy what is missing from where the policy was saved";

function outcomeOf({ policy, problems, folder, report }: Patient): Outcome {
  if (policy === undefined) return fault(problems.join("; ") || `${folder} cannot be loaded`, WHOLE);
  const unused = configWarnings(policy.config);
  if (unused.length > 0)
    return warning(unused.join("; "), "Remove the settings from config.json if they are not meant");
  const weights = report?.weights;
  const size = weights && `${weights.numParameters.toLocaleString("en-US")} parameters`;
  return ok([`${folder} is whole${size ? `: ${size}` : ""}`, ...policy.migrationWarnings].join("; "));
}

export const teacherFiles: Check = {
  id: "teacher-files",
  title: "The teacher's folder holds a policy that can be loaded",
  run: ({ teacher }) => outcomeOf(teacher),
};

export const studentFiles: Check = {
  id: "student-files",
  title: "The student's folder holds a policy that can be loaded",
  run: ({ student }) => (student === undefined ? skipped("no student was given") : outcomeOf(student)),
};

export const datasetFiles: Check = {
  id: "dataset-files",
  title: "The dataset and its frames can be read",
  run: ({ dataset }) => {
    if (dataset === undefined) return skipped("no dataset was given");
    const { problem, metadata, observations, name } = dataset;
    if (problem !== undefined) return fault(problem, "Give a LeRobot dataset that is complete");
    return ok(
      `${name}: ${metadata!.totalEpisodes} episodes, ${metadata!.totalFrames} frames; looked at ${observations!.tasks.length} of them`,
    );
  },
};
