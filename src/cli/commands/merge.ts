import { defineCommand } from "../command.js";

export const command = defineCommand({
  name: "merge",
  summary: "Makes a complete policy of an adapter (LoRA).",
  description:
    "Reads an adapter in PEFT's format and the policy that it was made for, adds the corrections to that policy's weights, " +
    "and writes a policy folder that LeRobot loads.",
  arguments: { adapter: { description: "folder or Hub id of the adapter" } },
  options: {
    output: { kind: "text", placeholder: "folder", description: "what to write; must not exist", isRequired: true },
  },
  examples: ["reflow merge outputs/run/checkpoints/last/pretrained_model/adapter --output=merged"],
  async run({ arguments: { adapter }, options: { output } }) {
    const { mergePolicy } = await import("../merge-policy.js");
    await mergePolicy(adapter, output);
    console.log(output);
  },
});
