import { defineCommand } from "../command.js";

export const command = defineCommand({
  name: "migrate",
  summary: "Rewrites a shell script that trains with LeRobot for reflow train.",
  description:
    "Shows the changes as a unified diff, and on standard error a note for each of them and for what needs a look. Changes the " +
    "file only with --write, and keeps the old one beside it as SCRIPT.bak. Runs nothing.",
  arguments: { script: { description: "shell script" } },
  options: { write: { kind: "flag", description: "change the file" } },
  examples: ["reflow migrate train.sh", "reflow migrate train.sh --write"],
  async run({ arguments: { script }, options: { write } }) {
    const { migrateFile } = await import("../migrate/migrate-file.js");
    const { diff, notes, numTrainingCommands, backup } = await migrateFile(script, write);
    for (const { line, kind, message } of [...notes].sort((a, b) => a.line - b.line)) {
      console.error(`${script}:${line}: ${kind === "warning" ? "warning: " : ""}${message}`);
    }
    if (diff !== "") console.log(diff.replace(/\n$/, ""));
    if (numTrainingCommands === 0) console.error(`${script}: nothing to change: no command in it trains with LeRobot`);
    else if (diff === "") console.error(`${script}: nothing to change`);
    else if (backup !== undefined) console.error(`${script}: written; the old script is ${backup}`);
    else console.error(`${script}: not changed yet; --write does it`);
  },
});
