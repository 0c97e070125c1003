import { defineCommand } from "../command.js";

export const command = defineCommand({
  name: "push",
  summary: "Uploads a policy to the Hugging Face Hub.",
  description:
    "Uploads the files of a policy folder in one commit, as LeRobot's push_to_hub does, with a model card if the folder has " +
    "none. What is there already is not sent again. Needs a token that may write, in HF_TOKEN or saved by logging in.",
  arguments: { policy: { description: "policy, checkpoint or run folder" } },
  options: {
    repo_id: { kind: "text", placeholder: "owner/name", description: "where to; the policy's own repo_id if left out" },
  },
  examples: ["reflow push outputs/run --repo_id=me/fast-cubes"],
  async run({ arguments: { policy }, options: { repo_id: repoId } }) {
    const { pushFolder } = await import("../push-folder.js");
    console.log(await pushFolder(policy, repoId));
  },
});
