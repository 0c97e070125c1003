// Command lines as people mistype them, and as nobody would. No value that is valid lets a command run for long.

/** @typedef {ReturnType<typeof import("./random.mjs").randomOf>} Random */

const VALUES = [
  ...["", " ", "0", "-1", "1", "2", "0.5", "-0", "NaN", "null", "true", "no", "1e999", "99999999999999999999", "0x10"],
  ...["[]", "[1", "[[[]]]", "[1,1]", "{", "{}", "{a: 1}", "'x", '"', "x", "cuda:99", "out", "run", "/dev/null"],
  ...["\ud800", "ä€😀", "%s%n", "$HOME", "__proto__", "constructor", "--", "-", "=", "a=b=c", "*", "!!js/function x"],
  ...["&a [*a, *a]", "x".repeat(100_000), "[".repeat(20_000), "5\n6", "owner/name", "http://127.0.0.1:9/"],
];
const NAMES = [
  ...[
    "--",
    "-x",
    "--=",
    "--a",
    "--a.b.c",
    "--__proto__=1",
    "--policy.__proto__.x=1",
    "--constructor=1",
    "--help",
    "-h",
    "--version",
  ],
  ...[
    "--config_path",
    "--config_path=",
    "--config_path=/dev/null",
    "--resume",
    "--resume=true",
    "--overwrite",
    "--overwrite=no",
  ],
  ...["--policy", "--policy={}", "--dataset=1", "--policy=null", "--reflow=[]", "--steps", "--seed=", "extra", ""],
];

/** Without these, a command would be right to run for a long time. */
const isLimit = (/** @type {string | undefined} */ arg) =>
  /^--(steps|episodes|stages|lrs|num_|path_steps|reference_steps|eval\.n_episodes|env\.max_steps|dataset\.episodes)/.test(
    arg ?? "",
  );

/** @type {readonly ((args: string[], random: Random) => void)[]} */
const CHANGES = [
  (args, random) => {
    const i = random.below(args.length);
    if (!isLimit(args[i])) args.splice(i, 1);
  },
  (args, random) => args.splice(random.below(args.length + 1), 0, random.pick(NAMES)),
  (args, random) => args.push(random.pick(args)),
  ...Array(4).fill((args, random) => {
    const i = random.below(args.length);
    const [name] = args[i].split("=");
    args[i] = args[i].includes("=") ? `${name}=${random.pick(VALUES)}` : random.pick(VALUES);
  }),
  (args, random) => {
    const i = random.below(args.length);
    const at = random.below(args[i].length + 1);
    args[i] =
      args[i].slice(0, at) + random.pick(["", "_", ".", "s", "-", "=", " "]) + args[i].slice(at + random.below(2));
  },
  (args, random) => {
    const i = random.below(args.length);
    args.splice(i, 1, ...args[i].split("="));
  },
  (args, random) => {
    const [i, j] = [random.below(args.length), random.below(args.length)];
    const [a, b] = [args[i].split("="), args[j].split("=")];
    if (!isLimit(args[i])) args[i] = [a[0], ...b.slice(1)].join("=");
  },
];

/** @param {readonly string[]} line a command and its arguments @param {Random} random */
export function mutateCommandLine(line, random) {
  const [command, ...args] = line;
  for (let n = 1 + random.below(3); n > 0; n--) {
    if (args.length === 0) args.push(random.pick(NAMES));
    else random.pick(CHANGES)(args, random);
  }
  return [random.below(50) === 0 ? random.pick(VALUES) : command, ...args];
}

/**
 * Complete command lines of all commands that end by themselves, on the files of a world.
 *
 * @param {string} world
 * @returns {readonly (readonly string[])[]}
 */
export function commandLines(world) {
  const [teacher, dataset] = [`${world}/teacher`, `${world}/dataset-v3.0`];
  const cpu = ["--policy.device=cpu", "--num_workers=0", `--dataset.root=${dataset}`];
  const small = ["--steps=1", "--batch_size=1", "--save_checkpoint=false", "--eval_freq=0", "--log_freq=1"];
  const reflow = [
    "--policy.use_reflow=true",
    `--policy.teacher_model_path=${teacher}`,
    "--policy.reflow_num_inference_steps=1",
  ];
  return [
    ["train", ...cpu, ...small, ...reflow, "--reflow.time.law=u_shaped", "--output_dir=out/reflow"],
    ["train", ...cpu, ...small, `--policy.path=${teacher}`, "--seed=3", "--output_dir=out/flow", "--overwrite=true"],
    ["train", "--resume=true", "--output_dir=run", "--steps=2"],
    ["pairs", ...cpu, `--policy.path=${teacher}`, "--dataset.episodes=[0]", "--batch_size=8", "--output=out/pairs"],
    ["make-dataset", "--env.type=avoiding", "--episodes=1", "--env.image_size=64", "--output=out/data", "--seed=1"],
    [
      "eval",
      "--policy.path=run",
      "--policy.device=cpu",
      "--env.type=avoiding",
      "--eval.n_episodes=1",
      "--output_dir=out/eval",
    ],
    [
      "compare",
      `--policies=a=${teacher},b=run`,
      "--num_steps=1",
      "--device=cpu",
      `--dataset.root=${dataset}`,
      "--num_observations=1",
      "--num_noises=2",
      "--path_steps=2",
      "--reference_steps=2",
      "--output_dir=out/compare",
    ],
    ["report", "run", "compare", "--output=out/report.html"],
    [
      "predict",
      `--policy.path=${teacher}`,
      "--observation=observations.safetensors",
      "--output=out/chunks.safetensors",
      "--task=x",
      "--seed=1",
      "--policy.num_steps=1",
      "--policy.device=cpu",
    ],
    ["inspect", teacher, "--json"],
    ["doctor", teacher],
    ["merge", "run", "--output=out/merged"],
    ["migrate", "compare/comparison.json"],
    ["push", teacher, "--repo_id=owner/name"],
    ["lr-sweep", ...cpu, ...small, ...reflow, "--lrs=[1e-4]", "--output_dir=out/sweep"],
    [
      "pipeline",
      ...cpu,
      "--policy.path=run",
      "--stages=[{name: a, kind: reflow, steps: 1}]",
      "--output_dir=out/pipeline",
    ],
    ["help", "train"],
  ];
}
