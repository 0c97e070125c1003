import type { SettingSpec } from "./command.js";

/** The settings of `reflow pairs`. */
export const PAIRS_SETTINGS: readonly SettingSpec[] = [
  { name: "policy.path", description: "the teacher, folder or Hub id" },
  { name: "dataset.repo_id", description: "Hub id of a LeRobot dataset" },
  { name: "dataset.root", description: "its local folder" },
  { name: "dataset.episodes", description: "use only these, such as [0,1,2]" },
  { name: "dataset.revision", description: "branch, tag or commit on the Hub" },
  { name: "rename_map", description: 'observation names in the dataset to the policy\'s, {"from":"to"}' },
  { name: "output", description: "the set's folder" },
  { name: "num_noises_per_observation", description: "pairs of each frame (8)" },
  { name: "policy.reflow_num_inference_steps", description: "solver steps of the teacher (10)" },
  { name: "reflow.teacher_solver", description: "euler, midpoint, heun or rk4 (euler)" },
  { name: "reflow.teacher_grid", description: "times of its steps: uniform or data_dense (uniform)" },
  { name: "reflow.padded_dims", description: "actions beyond the robot's dimensions: teacher, zero or mask (teacher)" },
  { name: "seed", description: "of the noises (1000)" },
  { name: "precision", description: "what the network computes in: fp32 or bf16 (fp32)" },
  { name: "policy.device", description: "cpu, cuda, cuda:1, ... (the best there is)" },
  { name: "batch_size", description: "frames that are solved together (32)" },
  { name: "num_workers", description: "threads that read and decode frames (4)" },
  { name: "frames_per_shard", description: "frames of each file; what a killed process loses (1024 pairs' worth)" },
  { name: "overwrite", description: "replace a set that the folder holds (false)" },
];
