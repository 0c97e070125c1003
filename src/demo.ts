/**
 * The whole story on a laptop: demonstrations of the built-in world, a first flow that is trained on them, its straightening and
 * a one-step policy, all of them driven and compared, and a page about it. It gives the commands that a user would.
 *
 * `npm run demo` sets everything up and runs this; `npm run demo -- --quick` a short version. What is finished is not done again.
 */
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { COMMANDS } from "./cli/all-commands.js";
import { formatError, runCommandLine } from "./cli/command-line.js";
import { EXIT_INTERRUPTED } from "./cli/interruptible.js";
import { packageVersion } from "./cli/package-version.js";
import { formatDuration } from "./cli/progress.js";
import { formatTable } from "./cli/table.js";
import { type ClosedLoopRow, COMPARISON_FILE, type Comparison, readComparison, type Verdict } from "./compare/index.js";
import { setNumThreads } from "./torch/index.js";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const EXAMPLE = join(ROOT, "examples", "avoiding");

interface Version {
  readonly folder: string;
  readonly title: string;
  readonly numDemonstrations: number;
  /** settings over those of the example's pipeline */
  readonly pipeline: readonly string[];
  /** settings of the comparison */
  readonly comparison: readonly string[];
}

const WHOLE: Version = {
  folder: "demo",
  title: "10 to 15 minutes on two cores",
  numDemonstrations: 480,
  pipeline: [],
  comparison: ["--eval.n_episodes=500", "--num_observations=20", "--reference_steps=30", "--path_steps=40"],
};

const QUICK: Version = {
  folder: "demo-quick",
  title: "about 4 minutes on two cores. Its policies are hardly trained",
  numDemonstrations: 120,
  pipeline: [
    ...["--stages.flow.steps=1200", "--stages.flow.policy.scheduler_decay_steps=1200"],
    ...["--stages.reflow.steps=400", "--stages.distill.steps=240"],
  ],
  comparison: ["--eval.n_episodes=100", "--num_observations=12", "--reference_steps=25", "--path_steps=40"],
};

const STUDENTS = ["straight", "one-step"];

/** The commands, as arguments of `reflow`. */
function commandsOf({ numDemonstrations, pipeline, comparison }: Version, folder: string): (readonly string[])[] {
  const place = (name: string): string => join(folder, name);
  const [dataset, runs, compared] = [place("dataset"), place("pipeline"), place("comparison")];
  const isRecorded = existsSync(join(dataset, "meta", "info.json"));
  return [
    ...(isRecorded
      ? []
      : [
          [
            ...["make-dataset", "--env.type=avoiding", "--env.image_size=32", `--episodes=${numDemonstrations}`],
            `--output=${dataset}`,
          ],
        ]),
    [
      ...["pipeline", `--config_path=${join(EXAMPLE, "pipeline.yaml")}`, `--output_dir=${runs}`],
      ...[`--dataset.root=${dataset}`, `--stages.flow.policy.vlm_model_name=${join(EXAMPLE, "base-vlm")}`],
      ...pipeline,
    ],
    [
      "compare",
      `--policies=teacher=${join(runs, "01-flow")},straight=${join(runs, "02-reflow")},one-step=${join(runs, "03-distill")}`,
      ...["--num_steps=1,2,5,10", `--dataset.root=${dataset}`, "--env.type=avoiding", "--env.image_size=32"],
      ...["--eval.num_workers=2", "--eval.max_episodes_rendered=1", "--seed=1000"],
      ...["--margins.success=0.02", "--margins.entropy_share=0.05", "--margins.between_modes=0.01"],
      ...comparison,
      `--output_dir=${compared}`,
    ],
    ["report", runs, compared, "-o", place("report.html")],
  ];
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

/** What the demo is to show, and whether it did. */
function findings({ closedLoop, settings, verdicts }: Comparison): readonly (readonly [string, string, boolean])[] {
  const rows = closedLoop?.rows ?? [];
  const rowOf = (policy: string, numSteps: number): ClosedLoopRow | undefined =>
    rows.find((row) => row.policy === policy && row.numSteps === numSteps);
  const successOf = (row: ClosedLoopRow | undefined): number => row?.summary.success?.value ?? Number.NaN;
  const entropyOf = (row: ClosedLoopRow | undefined): number => row?.against?.entropyShare ?? Number.NaN;
  const { deployedSteps } = settings;
  const teacher = successOf(rowOf("teacher", deployedSteps));
  const naive = rowOf("teacher", 1);
  const naiveLoss = naive?.against?.differenceInterval?.high ?? Number.NaN;
  const verdictOf = (policy: string, measure: Verdict["measure"]): Verdict | undefined =>
    verdicts.find((verdict) => verdict.policy === policy && verdict.numSteps === 1 && verdict.measure === measure);
  const figureOf = (verdict: Verdict | undefined): number => verdict?.value ?? Number.NaN;
  return [
    [`the teacher with ${deployedSteps} steps succeeds in 90 % or more`, percent(teacher), teacher >= 0.9],
    ["the teacher with one step is clearly worse", percent(successOf(naive)), naiveLoss < 0],
    ["and loses half of the entropy of ways or more", percent(entropyOf(naive)), entropyOf(naive) <= 0.5],
    ...STUDENTS.flatMap((name): [string, string, boolean][] => {
      const [success, entropy] = [verdictOf(name, "success"), verdictOf(name, "entropyShare")];
      const betweenModes = figureOf(verdictOf(name, "betweenModes"));
      return [
        [`${name} with one step is within 2 points of it`, percent(figureOf(success)), success?.isMet === true],
        [`${name} keeps 95 % of the entropy of ways`, percent(figureOf(entropy)), entropy?.isMet === true],
        [`${name} has 1 % of its samples or less between modes`, percent(betweenModes), betweenModes <= 0.01],
      ];
    }),
  ];
}

async function demo(version: Version): Promise<number> {
  const folder = join(ROOT, "outputs", version.folder);
  const began = performance.now();
  const commands = commandsOf(version, folder);
  console.log(`Straightening a robot policy, from demonstrations to one step: ${version.title}.`);
  setNumThreads(1); // tensors this small are computed before a second thread is awake
  for (const [i, command] of commands.entries()) {
    console.log(`\n${i + 1} of ${commands.length}: reflow ${command.map((part) => relativeTo(part)).join(" ")}\n`);
    const exitCode = await runCommandLine(command, COMMANDS, {
      version: packageVersion,
      write: (text) => process.stdout.write(text),
      writeError: (text) => process.stderr.write(text),
      isDebug: process.env.REFLOW_DEBUG === "1",
    });
    if (exitCode !== 0) {
      console.error(`\n${howToGoOn(version, folder, exitCode)}`);
      return exitCode;
    }
  }
  const comparison = await readComparison(join(folder, "comparison", COMPARISON_FILE));
  const rows = findings(comparison).map(([claim, figure, isShown]) => [claim, figure, isShown ? "shown" : "not shown"]);
  console.log(`\n${formatTable(rows)}\n`);
  console.log(
    `${formatDuration((performance.now() - began) / 1000)}. The page about it: ${join(folder, "report.html")}`,
  );
  console.log(
    `The one-step policy, for LeRobot: ${join(folder, "pipeline", "03-distill", "checkpoints", "last", "pretrained_model")}`,
  );
  return 0;
}

/** With paths as seen from where the demo was started. */
function relativeTo(part: string): string {
  const here = relative(process.cwd(), ROOT);
  return part.replaceAll(`${ROOT}/`, here === "" ? "" : `${here}/`);
}

/** What a user does who reads that the demo has ended before its end. */
function howToGoOn(version: Version, folder: string, exitCode: number): string {
  const again = `npm run demo${version === QUICK ? " -- --quick" : ""}`;
  if (exitCode === EXIT_INTERRUPTED) return `demo: interrupted. ${again} goes on where it was`;
  return `demo: ended early, as the lines above say. ${again} goes on after what is finished; to begin anew, delete ${folder}`;
}

process.env.SVT_LOG ??= "0"; // the video encoder would print its settings for every episode
try {
  const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
  process.exitCode = await demo(values.quick ? QUICK : WHOLE);
} catch (error) {
  const isUsage = (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") ?? false;
  console.error(
    isUsage
      ? `demo: expected nothing or --quick (npm run demo -- --quick): ${(error as Error).message}`
      : formatError(error, process.env.REFLOW_DEBUG === "1"),
  );
  process.exitCode = isUsage ? 2 : 1;
}
