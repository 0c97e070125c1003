import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ConfigError } from "../../support/errors.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { inspectPolicy } from "../inspect-policy.js";
import { readPolicyFiles } from "../policy-files.js";
import { isNormalization } from "../processors/pipeline.js";
import { SmolVLAPolicy } from "../smolvla-policy.js";
import { currentName, parseStatisticName } from "./stored-names.js";
import { fixtureStatistics, type OldPolicyRecipe, writeOldPolicy } from "./testing/write-old-policy.js";

let parent: string;
let numFolders = 0;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), "reflow-old-"));
});
afterAll(() => rm(parent, { recursive: true, force: true }));
const write = (recipe?: OldPolicyRecipe) => writeOldPolicy(join(parent, `policy-${numFolders++}`), recipe);

type Tensors = ReadonlyMap<string, HostArray>;
const renamed = (change: (name: string) => string) => (tensors: Tensors) =>
  [...tensors].map(([name, array]) => [change(name), array] as const);

/** Statistics of the first normalisation step, by feature. */
async function statisticsOf(folder: string, pipeline: "preprocessor" | "postprocessor" = "preprocessor") {
  const { processors } = await readPolicyFiles(folder);
  return processors[pipeline].steps.find(isNormalization)!.statistics;
}

const MIGRATED = (folder: string, statistics: string, more = ""): string =>
  `${folder}: this policy has the layout of LeRobot up to 0.3 and was migrated in memory: its statistics (${statistics}) came ` +
  `out of model.safetensors${more}. What is saved has today's layout`;
const BOTH = "action mean and std, observation.state mean and std";

describe("names in an old weights file", () => {
  it("of statistics tell module, kind of dataset, feature and statistic", () => {
    expect(parseStatisticName("normalize_inputs.buffer_observation_state.mean")).toEqual({
      normalizer: "normalize_inputs",
      tag: undefined,
      flatFeature: "observation_state",
      stat: "mean",
    });
    expect(parseStatisticName("unnormalize_outputs.so100-blue_buffer_action.std")).toMatchObject({
      tag: "so100-blue",
      flatFeature: "action",
    });
    expect(parseStatisticName("normalize_inputs.buffer_observation_buffer_size.min")).toMatchObject({
      tag: undefined,
      flatFeature: "observation_buffer_size",
    });
    expect(parseStatisticName("model.state_proj.weight")).toBeUndefined();
  });

  it("of weights lose the mark of a compiled policy, wherever it stands", () => {
    expect(currentName("model._orig_mod.state_proj.weight")).toBe("model.state_proj.weight");
    expect(currentName("_orig_mod.model.state_proj.bias")).toBe("model.state_proj.bias");
    expect(currentName("normalize_targets.buffer_action.mean")).toBeUndefined();
  });
});

describe("an old policy folder", () => {
  it("is read with the statistics that lay among its weights, and says so", async () => {
    const folder = await write();
    const { processors, warnings, config } = await readPolicyFiles(folder);
    expect(warnings).toEqual([MIGRATED(folder, BOTH)]);
    expect(config.normalizationMapping).toEqual({ VISUAL: "IDENTITY", STATE: "MEAN_STD", ACTION: "MEAN_STD" });
    expect(processors.preprocessor.steps.map(({ kind }) => kind).at(-1)).toBe("normalizer_processor");
    for (const pipeline of ["preprocessor", "postprocessor"] as const) {
      const statistics = await statisticsOf(folder, pipeline);
      expect([...statistics.keys()].sort()).toEqual(["action", "observation.state"]);
      expect([statistics.get("action")!.get("mean"), statistics.get("action")!.get("std")]).toEqual(
        await fixtureStatistics("action", "mean", "std"),
      );
    }
  });

  it("with names of a compiled policy is read too, and its weights counted", async () => {
    const folder = await write({ tensors: renamed((name) => name.replace(/^model\./, "model._orig_mod.")) });
    const { weights, faults, warnings } = await inspectPolicy(folder);
    expect(faults).toEqual([]);
    expect(weights?.misfits).toEqual({ missing: [], unexpected: [], misshapen: [] });
    expect(warnings).toEqual([MIGRATED(folder, BOTH, ', and 124 weights lost the "_orig_mod" of a compiled policy')]);
    const policy = await SmolVLAPolicy.load(folder, { device: "cpu" });
    onTestFinished(() => policy.dispose());
    expect(policy.warnings).toEqual(warnings);
  });

  it("with a weight under two names is refused", async () => {
    const folder = await write({
      tensors: (tensors) => [...tensors, ["model._orig_mod.state_proj.bias", tensors.get("model.state_proj.bias")!]],
    });
    await expect(SmolVLAPolicy.load(folder, { device: "cpu" })).rejects.toThrow(
      `smolvla.load: ${folder}/model.safetensors: expected every weight once, got "model.state_proj.bias" under two names`,
    );
  });

  it("whose feature has underscores in its name keeps the name", async () => {
    const features = (input: string) => ({
      input_features: {
        "observation.state": { type: "STATE", shape: [3] },
        [input]: { type: "ENV", shape: [3] },
        "observation.images.top": { type: "VISUAL", shape: [3, 48, 64] },
        "observation.images.wrist": { type: "VISUAL", shape: [3, 48, 64] },
      },
      normalization_mapping: { VISUAL: "IDENTITY", STATE: "MEAN_STD", ACTION: "MEAN_STD", ENV: "MEAN_STD" },
    });
    const [mean, std] = await fixtureStatistics("observation.state", "mean", "std");
    const tensors = (all: Tensors) => [
      ...all,
      ["normalize_inputs.buffer_observation_environment_state.mean", std!] as const,
      ["normalize_inputs.buffer_observation_environment_state.std", mean!] as const,
    ];
    const folder = await write({ config: features("observation.environment_state"), tensors });
    const statistics = await statisticsOf(folder);
    expect(statistics.get("observation.environment_state")?.get("mean")).toEqual(std);
    expect(statistics.has("observation.environment.state")).toBe(false);

    const { input_features: inputs } = features("observation.environment_state");
    const ambiguous = await write({
      config: { input_features: { ...inputs, "observation.environment.state": { type: "ENV", shape: [3] } } },
      tensors,
    });
    await expect(readPolicyFiles(ambiguous)).rejects.toThrow(
      `${ambiguous}/model.safetensors: expected features whose names differ in more than dots and underscores, got ` +
        '"observation.environment_state" and "observation.environment.state": whose the statistics are cannot be told',
    );
    const unknown = await write({ tensors });
    expect((await readPolicyFiles(unknown)).warnings[1]).toBe(
      `${unknown}: statistics of observation_environment_state were left out: config.json has no such feature`,
    );
  });
});

describe("statistics tagged with kinds of datasets", () => {
  const tag =
    (...tags: readonly string[]) =>
    (tensors: Tensors) =>
      [...tensors].flatMap(([name, array]) => {
        if (parseStatisticName(name) === undefined) return [[name, array] as const];
        return tags.map((of, i) => {
          const data = (array.data as Float32Array).map((value) => (of.endsWith("!") ? value + i : value));
          return [name.replace("buffer_", `${of.replace("!", "")}_buffer_`), { ...array, data }] as const;
        });
      });

  it("are used if there is one kind, or all are the same", async () => {
    for (const tags of [["so100"], ["so100", "so100-blue"]]) {
      const folder = await write({ tensors: tag(...tags) });
      const { warnings } = await readPolicyFiles(folder);
      const remark = (name: string) =>
        `${folder}: the statistics of ${name} are those of ${tags.join(", ")}, the only ones there are`;
      expect(warnings).toEqual([MIGRATED(folder, BOTH), remark("observation.state"), remark("action")]);
      expect((await statisticsOf(folder)).get("action")!.get("std")).toEqual(
        (await fixtureStatistics("action", "std"))[0],
      );
    }
  });

  it("give way to untagged ones", async () => {
    const folder = await write({ tensors: (tensors) => [...tensors, ...tag("so100", "so100-red!")(tensors)] });
    const { warnings } = await readPolicyFiles(folder);
    expect(warnings).toEqual([MIGRATED(folder, BOTH)]);
  });

  it("are not used if they differ: the policy is reported to lack them, as a base policy does", async () => {
    const folder = await write({ tensors: tag("so100", "so100-red!") });
    const { warnings, faults, features } = await inspectPolicy(folder);
    expect(faults).toEqual([]);
    expect(warnings).toEqual([
      MIGRATED(folder, "none"),
      expect.stringMatching(/of several kinds of datasets \(so100, so100-red\), so none of them is used$/),
      expect.stringMatching(/of several kinds of datasets \(so100, so100-red\), so none of them is used$/),
      expect.stringMatching(/^statistics are missing for observation.state, action/),
    ]);
    expect(features.find(({ name }) => name === "action")?.missing).toHaveLength(4);
  });
});

describe("statistics that were never set", () => {
  const unset = (tensors: Tensors) =>
    [...tensors].map(([name, array]) =>
      /buffer_action/.test(name)
        ? ([name, hostArray("float32", array.shape, new Float32Array(3).fill(Number.POSITIVE_INFINITY))] as const)
        : ([name, array] as const),
    );

  it("are refused with the reason, and a fault of the folder", async () => {
    const folder = await write({ tensors: unset });
    const message =
      `${folder}/model.safetensors: expected finite statistics of action, got infinity in mean and std: they were never set, ` +
      "as in a policy that was saved without a dataset, so its actions have no units. Only fine-tuning on a dataset gives them";
    await expect(SmolVLAPolicy.load(folder, { device: "cpu" })).rejects.toThrow(message);
    expect((await inspectPolicy(folder)).faults).toEqual([message]);
  });

  it("are left out for who puts others in their place", async () => {
    const folder = await write({ tensors: unset });
    const policy = await SmolVLAPolicy.load(folder, { device: "cpu", unsetStatistics: "leave out" });
    onTestFinished(() => policy.dispose());
    expect(policy.warnings).toEqual([
      MIGRATED(folder, "observation.state mean and std"),
      `${folder}: statistics of action were never set and are left out`,
    ]);
  });

  it("do not matter for empty cameras", async () => {
    const infinite = hostArray("float32", [3, 1, 1], new Float32Array(3).fill(Number.POSITIVE_INFINITY));
    const folder = await write({
      config: {
        empty_cameras: 1,
        normalization_mapping: { VISUAL: "MEAN_STD", STATE: "MEAN_STD", ACTION: "MEAN_STD" },
      },
      tensors: (tensors) => [
        ...tensors,
        ["normalize_inputs.buffer_observation_images_empty_camera_0.mean", infinite],
        ["normalize_inputs.buffer_observation_images_empty_camera_0.std", infinite],
      ],
    });
    expect([...(await statisticsOf(folder)).keys()].sort()).toEqual(["action", "observation.state"]);
  });
});

describe("an old configuration", () => {
  it("without modes takes those whose statistics are there", async () => {
    const folder = await write({ mode: "MIN_MAX", config: { normalization_mapping: undefined } });
    const { config, warnings } = await readPolicyFiles(folder);
    expect(config.normalizationMapping).toEqual({ VISUAL: "IDENTITY", STATE: "MIN_MAX", ACTION: "MIN_MAX" });
    expect(warnings[1]).toBe(
      `${folder}: config.json has no normalization_mapping; by the statistics that are there it is VISUAL IDENTITY, STATE MIN_MAX, ACTION MIN_MAX`,
    );
  });

  it("loses the keys that LeRobot does not know any more, with a warning; in today's layout they are refused", async () => {
    const config = { checkpoint_path: "x", robot: "so100" };
    const folder = await write({ config });
    const { warnings } = await readPolicyFiles(folder);
    expect(warnings[1]).toBe(
      `${folder}: config.json: LeRobot 0.4.4 does not know checkpoint_path, robot; left out, without effect`,
    );
    const path = join("test/fixtures/tiny-smolvla/teacher/config.json");
    const today = join(parent, "today");
    const policy = await SmolVLAPolicy.load(folder, { device: "cpu" });
    onTestFinished(() => policy.dispose());
    await policy.save(today);
    writeFileSync(join(today, "config.json"), JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...config }));
    await expect(readPolicyFiles(today)).rejects.toThrow(ConfigError);
  });

  it("for Aloha warns of the order that has changed", async () => {
    const folder = await write({ config: { adapt_to_pi_aloha: true } });
    expect((await readPolicyFiles(folder)).warnings[1]).toMatch(
      /adapt_to_pi_aloha has another order now: .* acts differently in this one$/,
    );
  });
});

describe("what is saved of an old policy", () => {
  it("has today's layout and is the same policy, without warnings", async () => {
    const [from, to] = [await write(), join(parent, "saved")];
    const old = await SmolVLAPolicy.load(from, { device: "cpu" });
    onTestFinished(() => old.dispose());
    await old.save(to);
    expect(existsSync(join(to, "policy_preprocessor.json"))).toBe(true);
    const saved = await SmolVLAPolicy.load(to, { device: "cpu" });
    onTestFinished(() => saved.dispose());
    expect(saved.warnings).toEqual([]);
    expect(saved.processors).toEqual(old.processors);
    expect(saved.config).toMatchObject({ ...old.config, openSettings: expect.anything() });
  });
});

describe("a folder that is not an old one", () => {
  it("is no older for a processor that is missing", async () => {
    const [from, to] = [await write(), join(parent, "half")];
    const policy = await SmolVLAPolicy.load(from, { device: "cpu" });
    onTestFinished(() => policy.dispose());
    await policy.save(to);
    rmSync(join(to, "policy_preprocessor.json"));
    await expect(readPolicyFiles(to)).rejects.toThrow(/policy_preprocessor\.json: file not found/);
    rmSync(join(to, "policy_postprocessor.json"));
    await expect(readPolicyFiles(to)).rejects.toThrow(/policy_preprocessor\.json: file not found/);
  });

  it("but has neither processors nor a use for statistics gets processors that change nothing", async () => {
    const folder = await write({
      config: { normalization_mapping: { VISUAL: "IDENTITY", STATE: "IDENTITY", ACTION: "IDENTITY" } },
      tensors: (tensors) => [...tensors].filter(([name]) => parseStatisticName(name) === undefined),
    });
    const { warnings, faults } = await inspectPolicy(folder);
    expect([warnings, faults]).toEqual([[MIGRATED(folder, "none")], []]);
  });
});
