import { defineCommand } from "../command.js";

export const command = defineCommand({
  name: "report",
  summary: "Writes one HTML page about runs, pipelines, comparisons and evaluations.",
  description:
    "Reads folders of reflow train, pipeline, compare and eval (and LeRobot's eval_info.json), and writes a page that needs nothing " +
    "else: verdicts in sentences, curves, quality and success against steps, flows, routes, clips, settings. A folder that holds several " +
    "such folders is taken apart. A damaged file is named on the page and in a warning; the rest is reported.",
  arguments: {
    runs: { description: "folders of runs, pipelines, comparisons or evaluations", isVariadic: true },
  },
  options: {
    output: { kind: "text", short: "o", placeholder: "file", description: "the page", default: "report.html" },
  },
  examples: ["reflow report outputs/pipeline outputs/compare -o report.html"],
  async run({ arguments: { runs }, options: { output } }) {
    const [{ writeReport }, { packageVersion }] = await Promise.all([
      import("../../report/index.js"),
      import("../package-version.js"),
    ]);
    const { problems } = await writeReport(runs, output, { now: new Date(), version: packageVersion() });
    for (const { message } of problems) console.error(`warning: not in the report: ${message}`);
    console.log(output);
  },
});
