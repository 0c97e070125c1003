import { defineCommand } from "../command.js";

export const command = defineCommand({
  name: "doctor",
  summary: "Says what is wrong with a policy, or with a student beside its teacher.",
  description:
    "A checklist with verdict, evidence and remedy: processors and statistics, features, lineage and training, weights, and, with " +
    "a dataset, what both policies do on equal noise. A fault is named once; what means nothing after it is skipped. Policies of " +
    "other programs are welcome, also such as cannot be loaded. Writes a copy of the teacher to the folder for temporary files " +
    "and removes it. Ends with exit code 1 if there is a fault; warnings are none.",
  options: {
    teacher: {
      kind: "text",
      placeholder: "dir",
      description: "policy, checkpoint or run folder, or Hub id",
      isRequired: true,
    },
    student: { kind: "text", placeholder: "dir", description: "one that was trained from it" },
    "dataset.root": {
      kind: "text",
      placeholder: "dir",
      description: "folder of the dataset that they were trained on",
    },
    "dataset.repo_id": { kind: "text", placeholder: "id", description: "its Hub id" },
    "dataset.revision": { kind: "text", description: "branch, tag or commit there" },
    rename_map: {
      kind: "text",
      placeholder: "json",
      description: "names in the dataset and in the policy (what the teacher's pre-processor renames)",
    },
    observations: { kind: "integer", description: "frames to compare the policies on", default: 6 },
    noises: { kind: "integer", description: "noises for each of them", default: 8 },
    seed: { kind: "integer", description: "of the noises", default: 0 },
    "policy.device": { kind: "text", description: "cpu, cuda, cuda:1, ... (the best there is)" },
    json: { kind: "flag", description: "print JSON" },
  },
  examples: [
    "reflow doctor --teacher=outputs/teacher --dataset.root=data/pusht",
    "reflow doctor --teacher=outputs/teacher --student=outputs/reflow --dataset.repo_id=lerobot/pusht --json",
  ],
  async run({ options }) {
    const [{ readDoctorRequest }, { diagnose }, { formatDiagnoses, diagnosesJson }] = await Promise.all([
      import("../doctor-request.js"),
      import("../../doctor/index.js"),
      import("../format-diagnoses.js"),
    ]);
    const diagnoses = await diagnose({
      ...readDoctorRequest(options),
      onCheck: (title) => {
        if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${title}`);
      },
    });
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
    console.log(options.json ? JSON.stringify(diagnosesJson(diagnoses), null, 2) : formatDiagnoses(diagnoses));
    return diagnoses.some(({ verdict }) => verdict === "fault") ? 1 : 0;
  },
});
