import { defineCommand } from "../command.js";

export const command = defineCommand({
  name: "predict",
  summary: "Predicts action chunks for the observations in a file.",
  description:
    "Reads observation.state [B, S], observation.images.NAME [B, 3, height, width] (uint8, or float in [0, 1]) and, if it is " +
    "there, noise [B, A, M]; other entries are passed over. Writes chunk (normalised) and robot_chunk (the robot's units), " +
    "float32 [B, A, action dimensions].",
  options: {
    "policy.path": { kind: "text", description: "policy, checkpoint or run folder, or Hub id", isRequired: true },
    observation: { kind: "text", placeholder: "file", description: "observations, as safetensors", isRequired: true },
    output: { kind: "text", placeholder: "file", description: "where to write the chunks", isRequired: true },
    task: { kind: "text", description: "what to do: once, or once per observation", isRepeatable: true },
    noise: { kind: "text", placeholder: "file", description: "safetensors with the noise to start from" },
    seed: { kind: "integer", description: "of the noise, if none is given (0)" },
    "policy.num_steps": { kind: "integer", description: "Euler steps (the policy's own)" },
    "policy.device": { kind: "text", description: "cpu, cuda, cuda:1, ... (the best there is)" },
    precision: {
      kind: "text",
      description: "what the network computes in",
      choices: ["fp32", "bf16"],
      default: "fp32",
    },
  },
  examples: [
    'reflow predict --policy.path=outputs/run --observation=frames.safetensors --task "pick up the cube" \\',
    "    --policy.num_steps=2 --output=chunks.safetensors",
  ],
  async run({ options }) {
    const { predictFile } = await import("../predict-file.js");
    const { lines, warnings } = await predictFile({
      policyPath: options["policy.path"],
      observationPath: options.observation,
      outputPath: options.output,
      tasks: options.task,
      noisePath: options.noise,
      seed: options.seed,
      numSteps: options["policy.num_steps"],
      device: options["policy.device"],
      precision: options.precision === "bf16" ? "bf16" : "fp32",
    });
    for (const warning of warnings) console.error(`warning: ${warning}`);
    console.log(lines);
  },
});
