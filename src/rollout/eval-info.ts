import type { Latency } from "../eval/index.js";
import type { Episode } from "./rollout.js";
import type { RolloutSummary } from "./summarize.js";

export interface EvalInfoParts {
  readonly taskGroup: string;
  readonly episodes: readonly Episode[];
  readonly summary: RolloutSummary;
  readonly seconds: number;
  /** whether it ended before all episodes were run */
  readonly isPartial: boolean;
  readonly latency?: Latency | undefined;
  /** of the first episodes, in order */
  readonly videos?: readonly string[];
  /** what was evaluated, by name */
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * An evaluation as LeRobot 0.4.4 writes it to `eval_info.json`, and ours beside it under `reflow`.
 *
 * Reference: `eval_policy_all` in `scripts/lerobot_eval.py`.
 */
export function evalInfo({
  taskGroup,
  episodes,
  summary,
  seconds,
  isPartial,
  latency,
  videos = [],
  settings,
}: EvalInfoParts): unknown {
  const metrics = {
    sum_rewards: episodes.map(({ sumReward }) => sumReward),
    max_rewards: episodes.map(({ maxReward }) => maxReward),
    successes: episodes.map(({ success }) => success),
    video_paths: videos,
  };
  const group = {
    avg_sum_reward: summary.meanSumReward ?? null,
    avg_max_reward: summary.meanMaxReward ?? null,
    pc_success: summary.success ? 100 * summary.success.value : null,
    n_episodes: episodes.length,
    video_paths: videos,
  };
  return {
    per_task: [{ task_group: taskGroup, task_id: 0, metrics }],
    per_group: { [taskGroup]: group },
    overall: { ...group, eval_s: seconds, eval_ep_s: episodes.length === 0 ? null : seconds / episodes.length },
    reflow: {
      status: isPartial ? "partial" : "complete",
      settings,
      summary,
      ...(latency ? { latency } : {}),
      episodes: episodes.map(({ index, seed, success, length, mode }) => ({ index, seed, success, length, mode })),
    },
  };
}
