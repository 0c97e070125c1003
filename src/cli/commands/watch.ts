import { defineCommand } from "../command.js";

export const command = defineCommand({
  name: "watch",
  summary: "Shows the report of a run in the browser while it trains.",
  description:
    "Serves the page of reflow report on 127.0.0.1, for this machine alone; the page follows what the run writes. The run may not have " +
    "begun yet. From another machine: ssh -L 7007:localhost:7007 HOST. Ctrl-C ends it; the run is not touched.",
  arguments: {
    runs: { description: "folders of runs, pipelines, comparisons or evaluations", isVariadic: true },
  },
  options: {
    port: { kind: "integer", description: "0 for any that is free", default: 7007 },
  },
  examples: ["reflow watch outputs/run"],
  async run({ arguments: { runs }, options: { port } }) {
    const [{ serveReport }, { interruptible }, { packageVersion }] = await Promise.all([
      import("../serve-report.js"),
      import("../interruptible.js"),
      import("../package-version.js"),
    ]);
    await interruptible((signal) =>
      serveReport({
        folders: runs,
        port,
        version: packageVersion(),
        signal,
        onListening: (url) => console.log(`${url}\nCtrl-C ends it.`),
      }),
    );
  },
});
