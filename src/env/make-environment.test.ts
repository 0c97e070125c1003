import { expect, it } from "vitest";
import { ENVIRONMENT_TYPES, makeEnvironment } from "./make-environment.js";

it("every type of environment can be made and played", () => {
  expect(ENVIRONMENT_TYPES).toContain("avoiding");
  for (const type of ENVIRONMENT_TYPES) {
    const environment = makeEnvironment(type);
    const { features, task, maxSteps } = environment;
    const { state, arrays } = environment.reset(0);
    expect(state.shape).toEqual([features.stateNames.length]);
    for (const { name, width, height } of features.cameras) {
      expect([arrays[name]!.dtype, arrays[name]!.shape]).toEqual(["uint8", [3, height, width]]);
    }
    expect(task.length).toBeGreaterThan(0);
    let numSteps = 0;
    for (let isOver = false; !isOver; numSteps++) {
      const { terminated, truncated } = environment.step(features.actionNames.map(() => 0));
      isOver = terminated || truncated;
    }
    expect(numSteps).toBeLessThanOrEqual(maxSteps);
  }
});

it("options reach the environment", () => {
  expect(makeEnvironment("avoiding", { maxSteps: 7, imageSize: 32 })).toMatchObject({
    maxSteps: 7,
    features: { cameras: [{ width: 32, height: 32 }] },
  });
});

it("an unknown type is refused with the known ones, and the nearest", () => {
  expect(() => makeEnvironment("avoidin")).toThrow(
    'env: expected type to be one of avoiding, got "avoidin". Did you mean "avoiding"?',
  );
  expect(() => makeEnvironment("toString")).toThrow('env: expected type to be one of avoiding, got "toString"');
});
