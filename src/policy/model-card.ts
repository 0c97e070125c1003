import { stringify } from "yaml";
import { z } from "zod";
import { isHubId } from "../hub/repository.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import type { Provenance } from "./provenance.js";

/** How well a policy agrees with its reference at one number of solver steps, as `eval` measures it. */
export interface AgreementFigure {
  /** the policy that was measured: this one, or its teacher for comparison */
  readonly name: string;
  readonly numSteps: number;
  readonly relativeError?: number | undefined;
  readonly noiseExplained?: number | undefined;
  readonly spreadRatio?: number | undefined;
}

export interface ModelCardInput {
  /** the policy's `config.json` */
  readonly config: unknown;
  /** where the policy is uploaded, for the commands that use it */
  readonly repoId?: string | undefined;
  /** the policy's `reflow.json`; undefined for a policy without one */
  readonly provenance?: Provenance | undefined;
  readonly dataset?: DatasetFacts | undefined;
  /** Hub id of the policy that this one was trained from, such as its teacher; LeRobot's own entry if left out */
  readonly baseModel?: string | undefined;
  /** settings of the training worth knowing, by name */
  readonly recipe?: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly agreement?: Agreement | undefined;
}

export interface DatasetFacts {
  /** named in the card's head only if it is a Hub id */
  readonly repoId?: string | undefined;
  readonly numEpisodes?: number | undefined;
  readonly numFrames?: number | undefined;
}

export interface Agreement {
  /** whose well-solved flow counts as the truth, in words */
  readonly reference: string;
  readonly numReferenceSteps?: number | undefined;
  readonly numObservations?: number | undefined;
  readonly numNoises?: number | undefined;
  readonly rows: readonly AgreementFigure[];
}

const FEATURES = z.record(z.string(), z.object({ type: z.string(), shape: z.array(z.number()) })).nullish();
const CONFIG = z.object({
  type: z.literal("smolvla"),
  license: z.string().nullish(),
  tags: z.array(z.string()).nullish(),
  num_steps: z.number().optional(),
  chunk_size: z.number().optional(),
  n_action_steps: z.number().optional(),
  input_features: FEATURES,
  output_features: FEATURES,
});
type CardConfig = z.infer<typeof CONFIG>;

/** What LeRobot says of every SmolVLA policy. */
const LEROBOT_BASE_MODEL = "lerobot/smolvla_base";
const LEROBOT_LICENSE = "apache-2.0";
const LEROBOT_TAGS = ["robotics", "lerobot", "smolvla"];

type Row = readonly (string | number | boolean)[];

const numeral = (value: number): string =>
  Number.isInteger(value) ? value.toLocaleString("en-US") : String(Number(value.toPrecision(6)));

const cell = (value: string | number | boolean): string =>
  typeof value === "number" ? numeral(value) : escaped(String(value));

/** Text that means only itself in a table. */
const escaped = (text: string): string => text.replace(/\s+/g, " ").replace(/[\\|`*_<>[\]]/g, "\\$&");

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** The facts that are there, by name. */
const known = (facts: Readonly<Record<string, string | number | boolean | undefined>>): Row[] =>
  Object.entries(facts).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));

const section = (title: string, ...parts: readonly (string | undefined)[]): string | undefined => {
  const content = parts.filter((part) => part !== undefined && part !== "");
  return content.length === 0 ? undefined : [`## ${title}`, ...content].join("\n\n");
};

/** The head that the Hub reads: LeRobot's own entries, in its order. */
function head({ provenance, dataset, baseModel }: ModelCardInput, { license, tags }: CardConfig): string {
  const isStraightened = (provenance?.k ?? 1) > 1;
  const allTags = new Set([...LEROBOT_TAGS, ...(isStraightened ? ["rectified-flow"] : []), ...(tags ?? [])]);
  const hubId = (name: string | undefined): string | undefined => (name && isHubId(name) ? name : undefined);
  const data = {
    license: license || LEROBOT_LICENSE,
    library_name: "lerobot",
    pipeline_tag: "robotics",
    tags: [...allTags].sort(),
    model_name: "smolvla",
    ...(hubId(dataset?.repoId) ? { datasets: dataset?.repoId } : {}),
    base_model: hubId(baseModel) ?? LEROBOT_BASE_MODEL,
  };
  // The Hub reads YAML 1.1, in which a plain "no" is not a text.
  return `---\n${stringify(data, { version: "1.1" })}---`;
}

function summary(provenance: Provenance | undefined): string {
  const model =
    "[SmolVLA](https://huggingface.co/papers/2506.01844) is a compact vision-language-action model: it turns camera images, the " +
    "robot's state and a task in words into a chunk of actions, by following a learned flow from noise.";
  const k = provenance?.k;
  if (k === undefined) return model;
  const times = k === 2 ? "once" : `${k - 1} times`;
  const kind =
    k === 1
      ? "This policy was trained on demonstrations by flow matching (a 1-rectified flow)."
      : `This policy's flow has been straightened ${times} ([rectified flow](https://huggingface.co/papers/2209.03003), a ` +
        `${k}-rectified flow), so that few steps suffice to follow it.`;
  return `${model}\n\n${kind}`;
}

function origin({ provenance, dataset }: ModelCardInput): string | undefined {
  const teacher = provenance?.teacher;
  const rows = known({
    "rectified flow (k)": provenance?.k,
    "training objective": provenance?.objective,
    "training steps": provenance?.step,
    teacher: teacher?.path,
    "teacher's rectified flow (k)": teacher?.k,
    "SHA-256 of the teacher's weights": teacher?.weightsSha256,
    dataset: dataset?.repoId,
    episodes: dataset?.numEpisodes,
    frames: dataset?.numFrames,
  });
  return section("Where it comes from", rows.length > 0 ? table(["", ""], rows) : undefined);
}

/** Entries of provenance that say how, rather than whose or when; nested ones by their dotted names. */
function provenanceRows(provenance: Provenance | undefined): Row[] {
  const told = ["format", "k", "objective", "step", "conventions", "teacher", "statisticsSha256", "resourceFolders"];
  const rowsOf = (value: unknown, name: string): Row[] => {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value.length === 0 ? [] : [[name, value.map(String).join(", ")]];
    if (typeof value !== "object") return [[name, value as string | number | boolean]];
    return Object.entries(value).flatMap(([inner, part]) => rowsOf(part, name === "" ? inner : `${name}.${inner}`));
  };
  return rowsOf(Object.fromEntries(Object.entries(provenance ?? {}).filter(([name]) => !told.includes(name))), "");
}

function training({ provenance, recipe }: ModelCardInput): string | undefined {
  const rows = [...provenanceRows(provenance), ...known(recipe ?? {})];
  return section("How it was trained", rows.length > 0 ? table(["setting", "value"], rows) : undefined);
}

/** A figure with as many digits as mean something. */
const figure = (value: number | undefined): string => (value === undefined ? "" : String(Number(value.toPrecision(3))));

function agreementSection(agreement: Agreement | undefined): string | undefined {
  if (agreement === undefined || agreement.rows.length === 0) return undefined;
  const { reference, numReferenceSteps, numObservations, numNoises, rows } = agreement;
  const solved = numReferenceSteps === undefined ? "" : `, solved in ${numReferenceSteps} steps`;
  const sample =
    numObservations === undefined || numNoises === undefined
      ? ""
      : ` Measured on ${numObservations} observations with ${numNoises} noises each.`;
  const columns = (["relativeError", "noiseExplained", "spreadRatio"] as const).filter((name) =>
    rows.some((row) => row[name] !== undefined),
  );
  const titles = { relativeError: "relative error", noiseExplained: "noise explained", spreadRatio: "spread ratio" };
  return section(
    "Agreement with its reference",
    `The reference is ${escaped(reference)}${solved}; both began from the same noises, for the same observations.${sample} Relative ` +
      "error is 0 for a perfect copy; noise explained is 1 for a perfect copy and 0 for a policy that ignores its noise; a " +
      "spread ratio below 1 means that variety was lost.",
    table(
      ["policy", "solver steps", ...columns.map((name) => titles[name])],
      rows.map((row) => [row.name, row.numSteps, ...columns.map((name) => figure(row[name]))]),
    ),
  );
}

const conventions = ({ provenance }: ModelCardInput): string | undefined =>
  provenance &&
  section(
    "Conventions",
    table(
      ["", ""],
      [
        ["time", provenance.conventions.time],
        ["velocity", provenance.conventions.velocity],
        ["noise", provenance.conventions.noise],
      ],
    ),
  );

function use({ repoId }: ModelCardInput, { num_steps: numSteps }: CardConfig): string | undefined {
  const name = repoId ?? "PATH";
  const steps = numSteps === undefined ? "" : ` --policy.num_steps=${numSteps}`;
  return section(
    "How to use it",
    "With stock LeRobot (0.4.4 or later), as any of its policies:",
    ["```python", ...loadingCode(name), "```"].join("\n"),
    "With reflow-vla:",
    [
      "```bash",
      `reflow inspect ${name}`,
      `reflow predict --policy.path=${name}${steps} --observation=frames.safetensors --task "what to do" --output=chunks.safetensors`,
      "```",
    ].join("\n"),
    numSteps === undefined
      ? undefined
      : `It takes ${numSteps} solver ${numSteps === 1 ? "step" : "steps"} unless told otherwise (\`num_steps\` in \`config.json\`).`,
  );
}

const loadingCode = (name: string): string[] => [
  "from lerobot.policies.factory import make_pre_post_processors",
  "from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy",
  "",
  `policy = SmolVLAPolicy.from_pretrained("${name}")`,
  `preprocess, postprocess = make_pre_post_processors(policy.config, "${name}")`,
  "action = postprocess(policy.select_action(preprocess(observation)))",
];

function limits({ provenance }: ModelCardInput, config: CardConfig): string | undefined {
  const features = Object.entries({ ...config.input_features, ...config.output_features });
  const list = features.map(([name, { shape }]) => `\`${name}\` [${shape.join(", ")}]`).join(", ");
  const isStraightened = (provenance?.k ?? 1) > 1;
  const points = [
    features.length > 0 ? `It knows these observations and actions and no others: ${list}.` : undefined,
    isStraightened
      ? "A straightened policy imitates its teacher, and is no better at the task than its teacher is."
      : undefined,
    provenance?.pairs?.paddedDims === "mask"
      ? "Action dimensions that the robot does not have were left out of the loss, so only one-step sampling is certain to be consistent."
      : undefined,
    "Success on a robot was not measured by the training; try it where a wrong motion does no harm.",
  ];
  return section("Limits", points.flatMap((point) => (point === undefined ? [] : [`- ${point}`])).join("\n"));
}

/**
 * The model card (`README.md`) of a policy: the head that LeRobot gives its own, then what is known of this policy. What is
 * not known is left out, never made up.
 *
 * @throws ConfigError if `config` is not that of a SmolVLA policy
 *
 * Reference: `PreTrainedPolicy.generate_model_card` of LeRobot 0.4.4.
 */
export function modelCard(input: ModelCardInput): string {
  const config = parseWithSchema(CONFIG, input.config, "model card: config");
  const parts = [
    head(input, config),
    "# Model Card for smolvla",
    summary(input.provenance),
    origin(input),
    training(input),
    agreementSection(input.agreement),
    conventions(input),
    use(input, config),
    limits(input, config),
  ];
  return `${parts.filter((part) => part !== undefined).join("\n\n")}\n`;
}
