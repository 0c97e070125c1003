import { describe, expect, it } from "vitest";
import { parseTrainConfig, type TrainConfig } from "../train/config.js";
import { resumeTarget } from "../train/config-resume.js";
import { SETTING_NAMES } from "../train/config-schema.js";
import { readSettings } from "./overrides.js";
import { TRAIN_SETTINGS } from "./train-settings.js";

async function configOf(line: string): Promise<TrainConfig> {
  const { config, warnings } = parseTrainConfig((await readSettings(line.split(" "))).settings);
  expect(warnings).toEqual([]);
  return config;
}

describe("a documented training command", () => {
  it("straightens a teacher", async () => {
    const config = await configOf(
      "--policy.type=smolvla --policy.use_reflow=true --policy.teacher_model_path=DIR --dataset.repo_id=ID " +
        "--dataset.root=DATA --output_dir=OUT --batch_size=32 --steps=20000 --policy.optimizer_lr=2e-5 " +
        "--policy.reflow_num_inference_steps=10",
    );
    expect(config).toMatchObject({
      dataset: { repoId: "ID", root: "DATA" },
      policy: {
        type: "smolvla",
        useReflow: true,
        teacherModelPath: "DIR",
        reflowNumInferenceSteps: 10,
        fields: { optimizer_lr: 2e-5 },
      },
      outputDir: "OUT",
      batchSize: 32,
      steps: 20_000,
    });
  });

  it("trains a published policy further, as LeRobot's documentation writes it", async () => {
    const config = await configOf(
      "--policy.path=lerobot/smolvla_base --dataset.repo_id=user/mydataset --batch_size=64 --steps=20000 " +
        "--output_dir=outputs/train/my_smolvla --job_name=my_smolvla_training --policy.device=cuda --wandb.enable=false",
    );
    expect(config).toMatchObject({
      policy: { path: "lerobot/smolvla_base", device: "cuda" },
      jobName: "my_smolvla_training",
    });
  });

  it("continues a run", async () => {
    const source = await readSettings(["--resume=true", "--output_dir=OUT", "--steps=40000"]);
    expect(resumeTarget(source)).toMatchObject({ checkpointFolder: "OUT/checkpoints/last", outputDir: "OUT" });
  });
});

describe("the help on training", () => {
  it("lists only settings that there are, each once", () => {
    const names = TRAIN_SETTINGS.map(({ name }) => name);
    expect(SETTING_NAMES).toEqual(expect.arrayContaining(names));
    expect(new Set(names).size).toBe(names.length);
  });
});
