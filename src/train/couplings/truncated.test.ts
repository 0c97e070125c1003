import { expect, it } from "vitest";
import { pairDistance } from "../../flow/index.js";
import { Generator, scope } from "../../torch/index.js";
import { syntheticBatch, syntheticCoupling } from "./testing/synthetic-coupling.js";
import { truncated } from "./truncated.js";

const NUM_NOISES = 5;

function couple(tasks: readonly string[], share: number) {
  return scope(() => {
    using generator = new Generator(8);
    const coupling = truncated(syntheticCoupling(NUM_NOISES), share, 2);
    const { noise, actions, weights, figures } = coupling.couple(syntheticBatch(0, 0, tasks), undefined, generator);
    return {
      distances: pairDistance(noise, actions, 2).toNumbers(),
      weights: weights!.toNumbers(),
      figures,
    };
  });
}

it("gives the farthest pairs of each task no weight, by their real dimensions", () => {
  const tasks = ["pick", "place", "pick", "place", "pick"]; // 15 and 10 pairs
  const { distances, weights, figures } = couple(tasks, 0.2);
  for (const [task, numFar] of [
    ["pick", 3],
    ["place", 2],
  ] as const) {
    const pairs = distances.flatMap((distance, i) =>
      tasks[Math.floor(i / NUM_NOISES)] === task ? [{ distance, weight: weights[i]! }] : [],
    );
    const farthestFirst = pairs.sort((a, b) => b.distance - a.distance).map(({ weight }) => weight);
    expect(farthestFirst).toEqual(pairs.map((_, i) => (i < numFar ? 0 : 1)));
  }
  expect(figures).toEqual([{ name: "pairs/truncated", value: 5 / 25, weight: 25 }]);
});

it("says that it left out nothing where a batch has too few pairs of each task", () => {
  const { weights, figures } = couple(["a", "b", "c"], 0.19);
  expect(weights).toEqual(Array(15).fill(1));
  expect(figures).toEqual([{ name: "pairs/truncated", value: 0, weight: 15 }]);
});
