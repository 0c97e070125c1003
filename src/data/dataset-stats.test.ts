import { expect, it } from "vitest";
import { parseDatasetStats } from "./dataset-stats.js";

it("statistics of a bool feature, which stock writes as true and false, are 1 and 0", () => {
  const stats = parseDatasetStats('{"next.done": {"min": [false], "max": [true], "mean": [0.25]}}', "stats.json");
  const done = Object.fromEntries([...stats.get("next.done")!].map(([name, { data }]) => [name, [...data]]));
  expect(done).toEqual({ min: [0], max: [1], mean: [0.25] });
});
