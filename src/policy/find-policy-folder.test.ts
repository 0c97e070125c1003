import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findPolicyFolder } from "./find-policy-folder.js";

const FIXTURE = "test/fixtures/tiny-smolvla";
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "reflow-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A folder with a `config.json` of this content. */
function folderWith(name: string, config: unknown): string {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  return folder;
}

describe("the policy that a user means", () => {
  it("lies in a policy folder itself", async () => {
    expect(await findPolicyFolder(`${FIXTURE}/teacher`)).toBe(resolve(FIXTURE, "teacher"));
  });

  it("lies in a checkpoint, and in a run's last checkpoint", async () => {
    const policy = folderWith("run/checkpoints/000100/pretrained_model", { type: "smolvla" });
    symlinkSync("000100", join(root, "run/checkpoints/last"));
    expect(await findPolicyFolder(join(root, "run/checkpoints/000100"))).toBe(policy);
    expect(await findPolicyFolder(join(root, "run"))).toBe(join(root, "run/checkpoints/last/pretrained_model"));
  });
});

describe("anything else is refused by what it is", () => {
  it("a file", async () => {
    await expect(findPolicyFolder(`${FIXTURE}/teacher/model.safetensors`)).rejects.toThrow(
      `${FIXTURE}/teacher/model.safetensors: expected a policy folder, got a file. Give the folder it lies in, ${FIXTURE}/teacher`,
    );
  });

  it("a base model", async () => {
    await expect(findPolicyFolder(`${FIXTURE}/base-vlm`)).rejects.toThrow(
      /base-vlm\/config\.json: expected a policy's configuration, got that of a base model \(model_type "smolvlm"\), .* A policy names it as vlm_model_name$/,
    );
  });

  it("a policy of another type", async () => {
    const folder = folderWith("act", { type: "act" });
    await expect(findPolicyFolder(folder)).rejects.toThrow(
      `${folder}/config.json: expected a policy of type "smolvla", got "act"`,
    );
  });

  it("a dataset", async () => {
    await expect(findPolicyFolder(`${FIXTURE}/dataset-v3.0`)).rejects.toThrow(
      /: expected a policy folder, got a dataset$/,
    );
  });

  it("a run without checkpoints", async () => {
    mkdirSync(join(root, "checkpoints"));
    await expect(findPolicyFolder(root)).rejects.toThrow(
      `${root}: expected a policy folder, got a training run without checkpoints/last. Give one of its checkpoints, if it has any`,
    );
  });

  it("adapters", async () => {
    writeFileSync(join(root, "adapter_config.json"), "{}");
    await expect(findPolicyFolder(root)).rejects.toThrow(
      `${root}: expected a policy, got an adapter to one. Merge it first: reflow merge ${root} --output=DIR`,
    );
  });

  it("an empty folder", async () => {
    await expect(findPolicyFolder(root)).rejects.toThrow(
      /expected a policy folder, got one without config\.json\. A LeRobot policy folder holds config\.json, model\.safetensors/,
    );
  });

  it("a name of nothing", async () => {
    await expect(findPolicyFolder(join(root, "nowhere"))).rejects.toThrow(
      `model "${root}/nowhere": expected a folder or a Hub id such as owner/name, got neither. Looked for ${root}/nowhere`,
    );
  });
});
