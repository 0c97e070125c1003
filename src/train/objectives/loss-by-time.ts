import type { Tensor } from "../../torch/index.js";
import type { Figure } from "./objective.js";

const NUM_BINS = 10;

/**
 * Mean losses by training time: in ten equal bins, `loss_at_time/0.0-0.1` to `loss_at_time/0.9-1.0`, and at 1 exactly,
 * `loss_at_time/1`, which belongs to no bin. Bins without a sample are left out.
 *
 * @param losses of each sample, `[n]`
 * @param time `[n]`
 * @param weights `[n]`; samples of weight 0 do not count
 */
export function lossByTime(losses: Tensor, time: Tensor, weights: Tensor | undefined): readonly Figure[] {
  const [values, times, weight] = [losses.toNumbers(), time.toNumbers(), weights?.toNumbers()];
  const bins = new Map<string, { sum: number; weight: number }>();
  for (const [i, value] of values.entries()) {
    const w = weight?.[i] ?? 1;
    if (w === 0) continue;
    const name = binName(times[i]!);
    const bin = bins.get(name) ?? { sum: 0, weight: 0 };
    bins.set(name, { sum: bin.sum + w * value, weight: bin.weight + w });
  }
  return [...bins]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, bin]) => ({ name, value: bin.sum / bin.weight, weight: bin.weight }));
}

function binName(time: number): string {
  if (time === 1) return "loss_at_time/1";
  const bin = Math.min(NUM_BINS - 1, Math.floor(time * NUM_BINS));
  return `loss_at_time/${(bin / NUM_BINS).toFixed(1)}-${((bin + 1) / NUM_BINS).toFixed(1)}`;
}
