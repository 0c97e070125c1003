import { ConfigError, type ConfigProblem } from "../../support/errors.js";
import { didYouMean } from "../../support/nearest-name.js";
import { parseWithSchema } from "../../support/parse-with-schema.js";
import { isMapping, mergeSettings, parseOverrides, readSettingsFile, type Settings } from "../overrides.js";
import { type CompareSettings, PIPELINE_SCHEMA, STAGES, type StageKind } from "./pipeline-schema.js";

/** A stage as it was asked for. */
export interface StageRequest {
  readonly name: string;
  readonly kind: StageKind;
  /** its own settings, over the common ones */
  readonly own: Settings;
}

/** A pipeline as it was asked for; the settings of its stages are not checked yet. */
export interface PipelineRequest {
  readonly outputDir: string;
  /** whether stages whose settings have changed are done again */
  readonly overwrite: boolean;
  /** settings of a training run that all stages have in common */
  readonly common: Settings;
  readonly stages: readonly StageRequest[];
  readonly compare: CompareSettings;
}

const WHERE = "pipeline";

/** Names that the comparison gives to policies that no stage has made. */
export const TEACHER_NAME = "teacher";
export const BASELINE_NAME = "baseline";

/**
 * The pipeline of a command line: settings over those of the file that `--config_path` names. Stages are a list, or follow
 * from `rounds` and `distill`; settings of single stages are given by name or by position from 1, `--stages.distill.steps`
 * or `--stages.3.steps`.
 *
 * @throws ConfigError for bad syntax, unknown settings and stages that cannot be told apart
 */
export async function readPipeline(args: readonly string[]): Promise<PipelineRequest> {
  const { config_path: configPath, stages: givenStages, ...given } = parseOverrides(args);
  if (configPath !== undefined && typeof configPath !== "string") {
    throw new ConfigError("--config_path", `expected a YAML or JSON file, got ${JSON.stringify(configPath)}`);
  }
  const { stages: fileStages, ...file } = configPath === undefined ? {} : await readSettingsFile(configPath);
  const settings = parseWithSchema(PIPELINE_SCHEMA, mergeSettings(file, given), WHERE);
  const { output_dir: outputDir, overwrite, rounds, distill, compare, stages: _, ...common } = settings;
  const stages = listStages([fileStages, givenStages], { rounds, distill, startsAtTeacher: hasTeacher(common) });
  return { outputDir, overwrite, common, stages, compare };
}

const hasTeacher = ({ policy }: Settings): boolean =>
  isMapping(policy) && policy.teacher_model_path !== undefined && policy.teacher_model_path !== null;

interface ShortForm {
  readonly rounds: number | null;
  readonly distill: boolean;
  readonly startsAtTeacher: boolean;
}

/** @param layers lists of stages, or mappings of stages to settings; what comes later is put over what comes before */
function listStages(layers: readonly unknown[], short: ShortForm): readonly StageRequest[] {
  let stages: readonly unknown[] | undefined = expandShortForm(short);
  for (const layer of layers.filter((value) => value !== undefined)) {
    if (Array.isArray(layer)) {
      if (short.rounds !== null || short.distill) {
        throw new ConfigError(WHERE, [
          { path: "stages", message: "expected either a list of stages or rounds and distill, got both" },
        ]);
      }
      stages = layer;
    } else if (isMapping(layer)) stages = withSettings(stages ?? [], layer);
    else {
      const message = `expected a list of stages, or settings by stage, got ${JSON.stringify(layer)}`;
      throw new ConfigError(WHERE, [{ path: "stages", message }]);
    }
  }
  if (stages === undefined || stages.length === 0) {
    throw new ConfigError(WHERE, [
      { path: "stages", message: "expected a list of stages, or rounds and distill, got neither" },
    ]);
  }
  const parsed = parseStages(stages);
  checkNames(parsed.map(({ name }) => name));
  return parsed.map(({ name, kind, ...own }) => ({ name, kind, own }));
}

/** @throws ConfigError with the stages' positions, from 1 */
function parseStages(stages: readonly unknown[]) {
  try {
    return parseWithSchema(STAGES, stages, WHERE);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const fromOne = (path: string): string => path.replace(/^\d+/, (i) => String(Number(i) + 1));
    throw new ConfigError(
      WHERE,
      error.problems.map(({ path, message }) => ({ path: `stages.${fromOne(path)}`, message })),
    );
  }
}

/** `rounds: 2` and `distill: true` as stages; the flow is trained first unless there is a teacher. */
function expandShortForm({ rounds, distill, startsAtTeacher }: ShortForm): Settings[] | undefined {
  if (rounds === null && !distill) return undefined;
  const count = rounds ?? 0;
  return [
    ...(startsAtTeacher ? [] : [{ name: "flow", kind: "flow_matching" }]),
    ...Array.from({ length: count }, (_, i) => ({ name: count === 1 ? "reflow" : `reflow-${i + 1}`, kind: "reflow" })),
    ...(distill ? [{ name: "distill", kind: "distill" }] : []),
  ];
}

/** Stages with further settings, which are given by name or by position from 1. */
function withSettings(stages: readonly unknown[], byStage: Settings): readonly unknown[] {
  const changed = [...stages];
  const names = stages.map((stage, i) => (isMapping(stage) ? String(stage.name) : String(i + 1)));
  for (const [key, settings] of Object.entries(byStage)) {
    const place = names.includes(key) ? names.indexOf(key) : /^\d+$/.test(key) ? Number(key) - 1 : -1;
    const path = `stages.${key}`;
    if (changed[place] === undefined) {
      const known = names.length > 0 ? `one of ${names.join(", ")}, or a position from 1` : "a pipeline with stages";
      throw new ConfigError(WHERE, [{ path, message: `expected ${known}, got "${key}"${didYouMean(key, names)}` }]);
    }
    if (!isMapping(settings)) {
      throw new ConfigError(WHERE, [{ path, message: `expected settings, got ${JSON.stringify(settings)}` }]);
    }
    changed[place] = mergeSettings(changed[place] as Settings, settings);
  }
  return changed;
}

function checkNames(names: readonly string[]): void {
  const problems: ConfigProblem[] = names.flatMap((name, i) => {
    const path = `stages.${i + 1}.name`;
    if (names.indexOf(name) < i) return [{ path, message: `expected a name of its own, got "${name}" again` }];
    if (name !== TEACHER_NAME && name !== BASELINE_NAME) return [];
    return [{ path, message: `expected another name, got "${name}", which the comparison uses` }];
  });
  if (problems.length > 0) throw new ConfigError(WHERE, problems);
}
