import { defineCommand } from "../command.js";

export const command = defineCommand({
  name: "inspect",
  summary: "Shows what a policy folder holds and whether it is whole.",
  description:
    "Counts parameters, names settings, features, statistics and processors, and says which rectified flow the policy is, if " +
    "that was recorded. Reads no weights. Ends with exit code 1 if the policy could not be loaded.",
  arguments: { policy: { description: "policy, checkpoint or run folder, or Hub id" } },
  options: { json: { kind: "flag", description: "print JSON" } },
  examples: ["reflow inspect outputs/run", "reflow inspect lerobot/smolvla_base --json"],
  async run({ arguments: { policy }, options }) {
    const [{ findPolicyFolder }, { inspectPolicy }, { formatPolicyReport, policyReportJson }] = await Promise.all([
      import("../../policy/find-policy-folder.js"),
      import("../../policy/inspect-policy.js"),
      import("../policy-report.js"),
    ]);
    const report = await inspectPolicy(await findPolicyFolder(policy));
    console.log(options.json ? JSON.stringify(policyReportJson(report), null, 2) : formatPolicyReport(report));
    return report.faults.length > 0 ? 1 : 0;
  },
});
