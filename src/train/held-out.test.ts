import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseTrainConfig } from "./config.js";
import { splitEpisodes } from "./held-out.js";

const REFLOW = { policy: { use_reflow: true, teacher_model_path: "teacher" } };
const settings = (raw: object) => parseTrainConfig({ dataset: { root: "data" }, ...raw }).config;

describe("splitEpisodes", () => {
  it("parts the episodes: each is learnt from or measured on, and at least one is learnt from", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat(1000), { minLength: 2, maxLength: 60 }),
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        (episodes, share) => {
          const { training, heldOut } = splitEpisodes(episodes, settings({ ...REFLOW, held_out: { share } }));
          expect([...training, ...heldOut].sort()).toEqual([...episodes].sort());
          expect(training.length).toBeGreaterThan(0);
          expect(heldOut.length).toBeGreaterThan(0);
          expect(Math.abs(heldOut.length - share * episodes.length)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it("holds out a twentieth in reflow, and nothing in flow matching, unless told", () => {
    const episodes = Array.from({ length: 40 }, (_, i) => i);
    expect(splitEpisodes(episodes, settings(REFLOW)).heldOut).toEqual([10, 30]);
    expect(splitEpisodes(episodes, settings({ policy: { type: "smolvla" } })).heldOut).toEqual([]);
    const told = settings({ policy: { type: "smolvla" }, held_out: { share: 0.1 } });
    expect(splitEpisodes(episodes, told).heldOut).toHaveLength(4);
  });

  it("holds out nothing of one episode, and nothing if nothing is measured", () => {
    expect(splitEpisodes([7], settings(REFLOW))).toEqual({ training: [7], heldOut: [] });
    expect(splitEpisodes([1, 2, 3], settings({ ...REFLOW, eval_freq: 0 })).heldOut).toEqual([]);
  });
});
