/** What no folder can be to blame for: a program that computes something else than it should. The doctor names that too. */
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { SmolVLA } from "../../src/smolvla/smolvla.js";
import { isGradEnabled, mulScalar, mulScalar_ } from "../../src/torch/index.js";
import { alarmIds } from "./diagnosed.js";
import { editTensors, mapEntries } from "./edit-policy.js";
import type { Fault } from "./fault.js";
import { PROGRAM_FAULTS } from "./program-faults.js";

afterEach(() => vi.restoreAllMocks());

const { velocity } = SmolVLA.prototype;
const { save } = SmolVLAPolicy.prototype;

const INJECTIONS: Readonly<Record<string, () => void>> = {
  "forward-paths": () =>
    vi.spyOn(SmolVLA.prototype, "velocity").mockImplementation(function (this: SmolVLA, ...args) {
      const right = velocity.apply(this, args);
      return isGradEnabled() ? mulScalar(right, 1.01) : right;
    }),
  "noise-intact": () =>
    vi.spyOn(SmolVLA.prototype, "velocity").mockImplementation(function (this: SmolVLA, prefix, x, time) {
      const result = velocity.call(this, prefix, x, time);
      mulScalar_(x, 0.5);
      return result;
    }),
  "saved-copy": () =>
    vi.spyOn(SmolVLAPolicy.prototype, "save").mockImplementation(async function (this: SmolVLAPolicy, folder, masters) {
      await save.call(this, folder, masters);
      await editTensors(join(folder, "model.safetensors"), (name, tensor) =>
        name === "model.state_proj.bias" ? mapEntries(tensor, (value) => value + 1) : tensor,
      );
    }),
};

describe("the doctor names, and nothing else", () => {
  it.each(PROGRAM_FAULTS.map((fault: Fault) => [`${fault.names}: ${fault.fault}`, fault] as const))(
    "%s",
    async (_, { names }) => {
      INJECTIONS[names]!();
      expect(await alarmIds({})).toEqual([names]);
    },
  );
});
