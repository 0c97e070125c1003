import { readComparison } from "../compare/read-comparison.js";
import { CheckpointError, isUserError, messageOf } from "../support/errors.js";
import { readJson } from "../support/read-json.js";
import { conclude } from "./conclude.js";
import { type ClipRequest, type FoundClip, findClips } from "./embed-clips.js";
import { findSources, type Source } from "./find-sources.js";
import { countOf } from "./format-figure.js";
import { readEvaluation } from "./read-evaluation.js";
import { readRun, runNotBegun } from "./read-run.js";
import { isOfStages, stagesFromJson } from "./read-stages.js";
import {
  type Clip,
  type ComparisonReport,
  type EvaluationReport,
  type Problem,
  REPORT_FORMAT,
  type ReportData,
  type RunReport,
  type Scene,
  type StageComparison,
} from "./report-data.js";
import { sceneOf } from "./scene-of.js";

export interface CollectOptions {
  readonly now: Date;
  /** of this package, for the page */
  readonly version: string;
  /** makes a clip of a file that may be shown: embedded, or by a name under which it is served */
  readonly clipsFrom: (clips: readonly FoundClip[]) => Promise<readonly Clip[]>;
  /** whether folders may be missing or empty, as that of a run that has not begun; false if left out */
  readonly mayBeEmpty?: boolean;
}

interface Collected {
  readonly runs: RunReport[];
  readonly comparisons: ComparisonReport[];
  readonly stageComparisons: StageComparison[];
  readonly evaluations: EvaluationReport[];
  readonly clips: ClipRequest[];
  readonly problems: Problem[];
}

/**
 * Everything that folders of runs, pipelines, comparisons and evaluations say. A file that is damaged is named in `problems`, and the
 * rest is reported all the same.
 *
 * @throws CheckpointError for a folder that is missing or holds nothing to report, and if none of the files can be used
 */
export async function collectReport(folders: readonly string[], options: CollectOptions): Promise<ReportData> {
  const { sources, empty } = await findSources(folders, options.mayBeEmpty);
  const collected: Collected = {
    runs: empty.map((folder) => runNotBegun(folder, folder)),
    comparisons: [],
    stageComparisons: [],
    evaluations: [],
    clips: [],
    problems: [],
  };
  for (const source of sources) {
    try {
      await READERS[source.kind](source, collected);
    } catch (error) {
      if (!isUserError(error)) throw error;
      collected.problems.push({ file: source.file, message: messageOf(error) });
    }
  }
  const { runs, comparisons, stageComparisons, evaluations, problems } = collected;
  const numUsed = runs.length + comparisons.length + stageComparisons.length + evaluations.length;
  if (numUsed === 0 && !options.mayBeEmpty) {
    throw new CheckpointError(
      `report: expected at least one file that can be read, got none\n${problems.map(({ message }) => `  - ${message}`).join("\n")}`,
    );
  }
  const clips = await findClips(collected.clips);
  return {
    format: REPORT_FORMAT,
    created: options.now.toISOString(),
    version: options.version,
    conclusions: conclude(collected),
    runs,
    comparisons,
    stageComparisons,
    evaluations,
    scenes: scenesOf([
      ...comparisons.map(({ comparison }) => comparison.settings.environment?.id),
      ...evaluations.map(({ environment }) => environment),
    ]),
    clips: { clips: await options.clipsFrom(clips.clips), leftOut: clips.leftOut },
    problems,
    awaited: empty,
  };
}

const READERS: Readonly<Record<Source["kind"], (source: Source, collected: Collected) => Promise<void>>> = {
  run: async ({ folder, name }, { runs, problems }) => {
    const read = await readRun(folder, name);
    runs.push(read.run);
    problems.push(...read.problems);
  },
  comparison: async ({ file, folder, name }, { comparisons, stageComparisons, clips }) => {
    const json = await readJson(file);
    if (isOfStages(json)) {
      stageComparisons.push({ name, folder, ...stagesFromJson(json, file) });
      return;
    }
    const comparison = await readComparison(file);
    comparisons.push({ name, folder, comparison });
    for (const { policy, numSteps, videos } of comparison.closedLoop?.rows ?? []) {
      clips.push(...clipRequests(`${policy}, ${countOf(numSteps, "step")}`, folder, videos));
    }
  },
  evaluation: async ({ file, folder, name }, { evaluations, clips }) => {
    const { evaluation, videos } = await readEvaluation(file, folder, name);
    evaluations.push(evaluation);
    clips.push(...clipRequests(name, folder, videos));
  },
};

const clipRequests = (about: string, folder: string, paths: readonly string[]): ClipRequest[] =>
  paths.map((path, i) => ({ title: `${about}, clip ${i + 1}`, folder, path }));

function scenesOf(environments: readonly (string | undefined)[]): Readonly<Record<string, Scene>> {
  const known = [...new Set(environments)].flatMap((id) => {
    const scene = id === undefined ? undefined : sceneOf(id);
    return scene === undefined ? [] : [[id!, scene] as const];
  });
  return Object.fromEntries(known);
}
