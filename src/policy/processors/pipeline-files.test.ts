import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hostArray } from "../../support/host-array.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../support/safetensors.js";
import { loadProcessorPipeline } from "./load-pipeline.js";
import { PIPELINE_NAMES, type PipelineName, tokenizerStepOf } from "./pipeline.js";
import { saveProcessorPipeline } from "./save-pipeline.js";
import { statisticsHash } from "./statistics.js";

const TEACHER = "test/fixtures/tiny-smolvla/teacher";
const STATE = "policy_preprocessor_step_5_normalizer_processor.safetensors";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pipeline-"));
  for (const name of readdirSync(TEACHER).filter((file) => file !== "model.safetensors")) {
    cpSync(join(TEACHER, name), join(folder, name));
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

interface PipelineJson {
  name: string;
  steps: Record<string, unknown>[];
}
const readJson = (name: PipelineName, from = folder): PipelineJson =>
  JSON.parse(readFileSync(join(from, `${name}.json`), "utf8"));

/** Changes the JSON of a copied pipeline. */
function edit(name: PipelineName, change: (json: PipelineJson) => void): void {
  const json = readJson(name);
  change(json);
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(json));
}
const editStep = (index: number, changes: Record<string, unknown>): void =>
  edit("policy_preprocessor", ({ steps }) => void steps.splice(index, 1, { ...steps[index], ...changes }));
const load = () => loadProcessorPipeline(folder, "policy_preprocessor");

describe("a pipeline's files", () => {
  it.each(PIPELINE_NAMES)("are written again as they were read: %s", async (name) => {
    const pipeline = await loadProcessorPipeline(TEACHER, name);
    const copy = join(folder, "copy");
    await saveProcessorPipeline(copy, pipeline);
    expect(readFileSync(join(copy, `${name}.json`), "utf8")).toBe(readFileSync(join(TEACHER, `${name}.json`), "utf8"));
    const stateFile = readdirSync(copy).find((file) => file.endsWith(".safetensors"))!;
    expect(await readSafetensors(join(copy, stateFile))).toEqual(await readSafetensors(join(TEACHER, stateFile)));
    expect(await loadProcessorPipeline(copy, name)).toEqual(pipeline);
  });

  it("may name steps by their classes", async () => {
    const expected = await load();
    const classes = [
      "lerobot.processor.rename_processor.RenameObservationsProcessorStep",
      "lerobot.processor.batch_processor.AddBatchDimensionProcessorStep",
      "lerobot.policies.smolvla.processor_smolvla.SmolVLANewLineProcessor",
      "lerobot.processor.tokenizer_processor.TokenizerProcessorStep",
      "lerobot.processor.device_processor.DeviceProcessorStep",
      "lerobot.processor.normalize_processor.NormalizerProcessorStep",
    ];
    edit("policy_preprocessor", (json) => {
      json.steps = json.steps.map(({ registry_name: _, ...rest }, i) => ({ class: classes[i], ...rest }));
    });
    expect(await load()).toEqual(expected);
  });

  it("may give the state file any name inside the folder", async () => {
    mkdirSync(join(folder, "state"));
    cpSync(join(TEACHER, STATE), join(folder, "state", "mine.safetensors"));
    const expected = await load();
    editStep(5, { state_file: "state/mine.safetensors" });
    expect(await load()).toEqual(expected);
  });

  it("may keep the tokenizer beside them, and are then written in the older form", async () => {
    const original = readJson("policy_preprocessor");
    const config = original.steps[3]!.config as Record<string, unknown>;
    editStep(3, { config: { ...config, tokenizer_name: "tokenizer" }, artifacts: { tokenizer_name: "tokenizer" } });
    const pipeline = await load();
    expect(tokenizerStepOf(pipeline)).toMatchObject({
      tokenizerName: "base-vlm",
      tokenizerFolder: join(folder, "tokenizer"),
    });
    await saveProcessorPipeline(join(folder, "copy"), pipeline);
    expect(readJson("policy_preprocessor", join(folder, "copy"))).toEqual(original);
    rmSync(join(folder, "config.json"));
    expect(tokenizerStepOf(await load())?.tokenizerName).toBe("tokenizer");
  });

  it("name no state file for a step without statistics", async () => {
    edit("policy_preprocessor", ({ steps }) => void delete steps[5]!.state_file);
    const pipeline = await load();
    await saveProcessorPipeline(join(folder, "copy"), pipeline);
    expect(readJson("policy_preprocessor", join(folder, "copy")).steps[5]).not.toHaveProperty("state_file");
    expect(existsSync(join(folder, "copy", STATE))).toBe(false);
  });

  it("may hold statistics of other types, which become float32", async () => {
    const tensors = { "action.mean": hostArray("float64", [2], new Float64Array([0.1, 2])) };
    const sources = Object.entries(tensors).map(([name, array]) => [name, sourceOf(array)] as const);
    await writeSafetensors(join(folder, STATE), new Map(sources));
    const step = (await load()).steps[5]!;
    expect("statistics" in step && step.statistics.get("action")?.get("mean")).toEqual(
      hostArray("float32", [2], new Float32Array([0.1, 2])),
    );
  });
});

describe("a pipeline in memory", () => {
  it("can be cloned to another thread", async () => {
    const pipeline = await load();
    expect(structuredClone(pipeline)).toEqual(pipeline);
  });

  it("has a hash that only its statistics change", async () => {
    const pipeline = await load();
    const post = await loadProcessorPipeline(folder, "policy_postprocessor");
    const hash = statisticsHash([pipeline, post]);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(statisticsHash([post, structuredClone(pipeline)])).toBe(hash);
    const changed = structuredClone(pipeline);
    const step = changed.steps[5]!;
    if ("statistics" in step) step.statistics.get("action")!.get("mean")!.data[0] = 7;
    expect(statisticsHash([changed, post])).not.toBe(hash);
  });
});

describe("a pipeline that cannot be used", () => {
  const at = (rest: string): string => `${folder}/policy_preprocessor.json${rest}`;
  const expectError = (message: string) => expect(load()).rejects.toThrow(message);

  it("is refused when its file is missing", async () => {
    rmSync(at(""));
    await expectError(
      at(
        ": file not found. A policy saved before LeRobot 0.4 keeps its normalisation elsewhere, among its weights, but this folder holds no such policy",
      ),
    );
  });
  it("is refused when its file is not JSON, or lists no steps", async () => {
    writeFileSync(at(""), "{");
    await expectError(at(": expected JSON, got something else ("));
    writeFileSync(at(""), "{}");
    await expectError(at(" at steps: expected a list, got nothing"));
  });
  it("is refused for a step that is not known", async () => {
    editStep(5, { registry_name: "normaliser_processor" });
    await expectError(
      at(
        ' at steps.5: expected one of rename_observations_processor, to_batch_processor, smolvla_new_line_processor, tokenizer_processor, device_processor, normalizer_processor, unnormalizer_processor, got "normaliser_processor". Did you mean "normalizer_processor"?',
      ),
    );
    editStep(5, { registry_name: undefined, class: "mine.steps.Blur" });
    await expectError('got "mine.steps.Blur"');
    editStep(5, { registry_name: undefined, class: undefined });
    await expectError("got no registry_name and no class");
  });
  it("is refused for a step that needs observations after the network", async () => {
    edit(
      "policy_postprocessor",
      ({ steps }) => void steps.splice(1, 1, { registry_name: "smolvla_new_line_processor" }),
    );
    await expect(loadProcessorPipeline(folder, "policy_postprocessor")).rejects.toThrow(
      "policy_postprocessor.json at steps.1: expected one of to_batch_processor, device_processor, normalizer_processor, unnormalizer_processor, got",
    );
  });
  it("is refused for settings that are unknown or wrong", async () => {
    editStep(4, { config: { devise: "cpu" } });
    await expectError(at(' at steps.4.config at devise: unknown key. Did you mean "device"?'));
    editStep(4, { config: { float_dtype: "float16" } });
    await expectError(at(' at steps.4.config at float_dtype: expected one of "float32", "float", got "float16"'));
    editStep(4, {});
    editStep(4, { config: {}, statefile: "x" });
    await expectError(at(' at steps.4.statefile: unknown key. Did you mean "state_file"?'));
  });
  it.each(["../outside.safetensors", "/etc/passwd", "."])("is refused for a state file outside: %s", async (name) => {
    editStep(5, { state_file: name });
    await expectError(at(` at steps.5: expected the name of a file inside the policy's folder, got "${name}"`));
  });
  it("is refused for a tokenizer folder outside", async () => {
    editStep(3, { artifacts: { tokenizer_name: "../../tokenizer" } });
    await expectError(
      at(' at steps.3: expected the name of a file inside the policy\'s folder, got "../../tokenizer"'),
    );
  });
  it("is refused when a state file is missing", async () => {
    rmSync(join(folder, STATE));
    await expectError(`${folder}/${STATE}: file not found`);
  });
  it("is refused for tensors that are no statistics", async () => {
    const write = (name: string, array: ReturnType<typeof hostArray>) =>
      writeSafetensors(join(folder, STATE), new Map([[name, sourceOf(array)]]));
    await write("mean", hostArray("float32", [1], new Float32Array(1)));
    await expectError(`${folder}/${STATE}: expected tensors named "feature.statistic", got "mean"`);
    await write("action.mean", hostArray("bfloat16", [1], new Uint16Array(1)));
    await expectError(`${folder}/${STATE}: tensor "action.mean": expected float32, got bfloat16`);
  });
});
