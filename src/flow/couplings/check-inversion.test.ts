import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../../support/errors.js";
import { ones, tensor, zeros } from "../../torch/index.js";
import { checkInversion } from "../index.js";

const SHAPE = [3, 2, 2] as const;
/** Mean squares of 1, 1 and 4. */
const noise = tensor([1, -1, 1, -1, 1, 1, 1, 1, 2, 2, 2, 2], SHAPE);
const actions = zeros(SHAPE);
/** Root mean square errors of 0, 0.5 and 0. */
const restored = tensor([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], SHAPE);

describe("checkInversion", () => {
  it("accepts noise of ordinary size that leads back, and says by how much each falls short", () => {
    expect(checkInversion({ noise, actions, restored, maxError: 0.1 })).toEqual([
      { energy: 1, error: 0, isAccepted: true },
      { energy: 1, error: 0.5, isAccepted: false },
      { energy: 4, error: 0, isAccepted: false },
    ]);
  });

  it("takes another range of sizes and another largest error", () => {
    const accepted = checkInversion({ noise, actions, restored, maxError: 0.5, energyRange: [1, 4] });
    expect(accepted.map(({ isAccepted }) => isAccepted)).toEqual([true, true, true]);
  });

  it("accepts nothing that is not a number", () => {
    const broken = tensor(Array<number>(12).fill(Number.NaN), SHAPE);
    expect(checkInversion({ noise: broken, actions, restored, maxError: 1 }).some((c) => c.isAccepted)).toBe(false);
    expect(checkInversion({ noise, actions, restored: broken, maxError: 1 }).some((c) => c.isAccepted)).toBe(false);
  });

  it("refuses what does not fit", () => {
    expect(() => checkInversion({ noise, actions, restored: ones([3, 2, 1]), maxError: 1 })).toThrow(
      new ShapeError(
        "flow.checkInversion: expected noise, actions and restored actions of one shape [B, A, M], got [3, 2, 2], [3, 2, 2], [3, 2, 1]",
      ),
    );
    expect(() => checkInversion({ noise, actions, restored, maxError: 0 })).toThrow(
      new ConfigError("flow.checkInversion", "expected maxError to be a number above 0, got 0"),
    );
    expect(() => checkInversion({ noise, actions, restored, maxError: 1, energyRange: [1.3, 0.7] })).toThrow(
      new ConfigError("flow.checkInversion", "expected the lowest energy to be from 0 to below 0.7, got 1.3"),
    );
  });
});
