import { afterAll, beforeAll, expect, it } from "vitest";
import { largestDifference, loadTeacher, rawBatch, recorded } from "../../test/parity/fixture.js";
import type { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { cat, full, noGrad, repeatInterleave, scope, tensorFromHost } from "../torch/index.js";
import { repeatPrefix } from "./repeat-prefix.js";

let policy: SmolVLAPolicy;
beforeAll(async () => {
  policy = await loadTeacher();
});
afterAll(() => policy.dispose());

it("gives every observation's copies the velocity that the observation itself has", async () => {
  const raw = await rawBatch();
  const noise = (await recorded("parity/forward.safetensors")).get("noise")!;
  noGrad(() =>
    scope(() => {
      const prefix = policy.model.encodePrefix(policy.encode(raw));
      const x = tensorFromHost(noise);
      const once = policy.model.velocity(prefix, x, full([4], 0.7, "float32"));
      const thrice = policy.model.velocity(
        repeatPrefix(prefix, 3),
        repeatInterleave(x, 3, 0),
        full([12], 0.7, "float32"),
      );
      expect(largestDifference(thrice, repeatInterleave(once, 3, 0).toHost())).toBeLessThan(1e-5);
    }),
  );
});

it("works for a single observation, whose entries for the whole batch look like its own", async () => {
  const { arrays, tasks } = await rawBatch();
  const first = Object.fromEntries(
    Object.entries(arrays).map(([name, { dtype, shape, data }]) => {
      const size = data.length / shape[0]!;
      return [name, { dtype, shape: [1, ...shape.slice(1)], data: data.slice(0, size) }];
    }),
  );
  noGrad(() =>
    scope(() => {
      const prefix = policy.model.encodePrefix(policy.encode({ arrays: first, tasks: tasks.slice(0, 1) }));
      const x = full([1, 10, 8], 0.5, "float32");
      const once = policy.model.velocity(prefix, x, full([1], 1, "float32"));
      const twice = policy.model.velocity(repeatPrefix(prefix, 2), cat([x, x]), full([2], 1, "float32"));
      expect(largestDifference(twice, cat([once, once]).toHost())).toBeLessThan(1e-5);
    }),
  );
});
