import { z } from "zod";
import { wilsonInterval } from "../eval/statistics/wilson-interval.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import { readJson } from "../support/read-json.js";
import { flattenSettings } from "./flatten-settings.js";
import type { EvaluationReport } from "./report-data.js";

const count = z.int().min(0);
const milliseconds = z.looseObject({
  medianMs: z.number(),
  p95Ms: z.number(),
  minMs: z.number(),
  maxMs: z.number(),
  numCalls: count,
});

/** LeRobot's part, and ours where it is. */
const EVAL_INFO = z.looseObject({
  per_task: z.array(
    z.looseObject({
      task_group: z.string(),
      metrics: z.looseObject({ successes: z.array(z.boolean()), video_paths: z.array(z.string()).optional() }),
    }),
  ),
  reflow: z
    .looseObject({
      status: z.enum(["partial", "complete"]),
      settings: z.record(z.string(), z.unknown()),
      summary: z.looseObject({ modes: z.record(z.string(), count) }),
      latency: z.looseObject({ total: milliseconds, parts: z.record(z.string(), milliseconds) }).optional(),
    })
    .optional(),
});

export interface ReadEvaluation {
  readonly evaluation: EvaluationReport;
  /** as the file names them */
  readonly videos: readonly string[];
}

/**
 * An evaluation in closed loop, from the `eval_info.json` of `reflow eval` or of stock LeRobot 0.4.4.
 *
 * @param name under which the report speaks of it
 * @throws CheckpointError if the file cannot be read, ConfigError naming every part that is missing or of another type
 */
export async function readEvaluation(path: string, folder: string, name: string): Promise<ReadEvaluation> {
  const { per_task: tasks, reflow } = parseWithSchema(EVAL_INFO, await readJson(path), path);
  const successes = tasks.flatMap(({ metrics }) => metrics.successes);
  const { numSteps, environment } = reflow?.settings ?? {};
  const numSuccesses = successes.filter((success) => success).length;
  const success = wilsonInterval(numSuccesses, successes.length);
  return {
    videos: tasks.flatMap(({ metrics }) => metrics.video_paths ?? []),
    evaluation: {
      name,
      folder,
      status: reflow?.status ?? "complete",
      environment:
        typeof environment === "string"
          ? environment
          : [...new Set(tasks.map(({ task_group: group }) => group))].join(", "),
      ...(typeof numSteps === "number" ? { numSteps } : {}),
      numEpisodes: successes.length,
      numSuccesses,
      ...(success === undefined ? {} : { success }),
      ...(reflow?.latency ? { latency: reflow.latency } : {}),
      modes: reflow?.summary.modes ?? {},
      settings: flattenSettings(reflow?.settings),
    },
  };
}
