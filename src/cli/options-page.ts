import { describeSettings, type SettingDescription } from "../train/describe-settings.js";

const INTRODUCTION = `# Every setting of a training run

Written by \`npm run docs\`; do not edit. Names, order and defaults are LeRobot 0.4.4's where it has the setting. Give one as
\`--name=value\` on the command line of \`reflow train\`, or nested in a YAML or JSON file with \`--config_path=FILE\`; what the command
line says comes first. A default of null means that the setting is not set. Settings without effect in the chosen mode are
named in a warning when a run starts.
`;

const TITLES: Readonly<Record<string, string>> = {
  "": "The run",
  dataset: "`dataset`: what is learnt from",
  policy: "`policy`: what is trained",
  optimizer: "`optimizer` and `scheduler`: with `use_policy_training_preset=false` alone",
  eval: "`eval`: kept for LeRobot",
  wandb: "`wandb`: Weights & Biases",
  peft: "`peft`: adapters",
  ema: "`ema`: moving average of the weights",
  held_out: "`held_out`: measuring while training",
  flow_matching: "`flow_matching`: training on demonstrations",
  reflow: "`reflow`: straightening and distilling",
};

const SAME_PAGE: Readonly<Record<string, string>> = { scheduler: "optimizer" };

function sectionOf({ name }: SettingDescription): string {
  const [first] = name.includes(".") ? name.split(".") : [""];
  return SAME_PAGE[first!] ?? first!;
}

const row = (setting: SettingDescription): string =>
  `| \`${setting.name}\` | ${setting.default === undefined ? "" : `\`${setting.default}\``} | ${setting.description} |`;

/** The page that lists every setting with its default, in Markdown. */
export function formatOptionsPage(): string {
  const settings = describeSettings();
  const sections = [...new Set(["", ...settings.map(sectionOf)])].map((section) => {
    const rows = settings.filter((setting) => sectionOf(setting) === section).map(row);
    return [
      `## ${TITLES[section] ?? `\`${section}\``}\n`,
      "| setting | default | meaning |",
      "|---|---|---|",
      ...rows,
    ].join("\n");
  });
  return `${[INTRODUCTION.trimEnd(), ...sections].join("\n\n")}\n`;
}
