import { describe, expect, it } from "vitest";
import { parseTrainConfig, policyOverrides, type TrainConfig } from "./config.js";
import { trainConfigFromJson, trainConfigToJson } from "./config-json.js";
import { conflictsWithTeacher, isNetworkField, SMOLVLA_FIELD_NAMES } from "./config-policy-fields.js";
import { trainingPreset, withTrainingPreset } from "./config-preset.js";
import { resumeTarget } from "./config-resume.js";

type Raw = Readonly<Record<string, unknown>>;

const now = new Date(2025, 7, 3, 4, 5, 9);
const MINIMAL = { dataset: { repo_id: "user/pick" }, policy: { type: "smolvla" } };
const REFLOW_POLICY = { type: "smolvla", use_reflow: true, teacher_model_path: "teacher" };
const REFLOW = { ...MINIMAL, policy: REFLOW_POLICY };

const parse = (raw: unknown): TrainConfig => parseTrainConfig(raw, { now }).config;
const warningsOf = (changes: Raw, base: Raw = MINIMAL): readonly string[] =>
  parseTrainConfig({ ...base, ...changes }, { now }).warnings;
const policy = (fields: Raw, base: Raw = MINIMAL.policy): Raw => ({ policy: { ...base, ...fields } });

describe("parseTrainConfig", () => {
  it("fills in LeRobot 0.4.4's defaults, except for batch size and steps, and ours", () => {
    const time = { steepness: 4, mean: 0, std: 1, alpha: 4, atoms: [1] };
    expect(parseTrainConfig(MINIMAL, { now })).toEqual({
      warnings: [],
      config: {
        dataset: { repoId: "user/pick", useImagenetStats: true, videoBackend: "torchcodec" },
        policy: {
          type: "smolvla",
          pushToHub: false,
          useReflow: false,
          reflowNumInferenceSteps: 10,
          studentInit: "teacher",
          fields: {},
        },
        outputDir: "outputs/train/2025-08-03/04-05-09_smolvla",
        jobName: "smolvla",
        resume: false,
        overwrite: false,
        seed: 1000,
        numWorkers: 4,
        batchSize: 32,
        steps: 30_000,
        evalFreq: 20_000,
        logFreq: 200,
        toleranceS: 1e-4,
        saveCheckpoint: true,
        saveFreq: 20_000,
        usePolicyTrainingPreset: true,
        optimizer: undefined,
        scheduler: undefined,
        eval: { nEpisodes: 50, batchSize: 50, useAsyncEnvs: false },
        wandb: { enable: false, disableArtifact: false, project: "lerobot" },
        renameMap: {},
        checkpointPath: undefined,
        precision: "fp32",
        gradientAccumulation: 1,
        gradientCheckpointing: false,
        freezePattern: "0.4",
        tensorboard: false,
        health: "warn",
        peft: undefined,
        ema: { decay: undefined },
        heldOut: { share: undefined, numObservations: 8, numNoises: 8, referenceSteps: 20 },
        flowMatching: { noisesPerObservation: 1, time: { ...time, law: "beta", shareAtAtoms: 0 } },
        reflow: {
          stage: "reflow",
          teacherSolver: "euler",
          teacherGrid: "uniform",
          paddedDims: "teacher",
          noisesPerObservation: 1,
          pairUses: 1,
          bufferBatches: 64,
          pairs: undefined,
          truncateShare: 0,
          annealSteps: 0,
          stateNoise: 0,
          time: { ...time, law: "u_shaped", shareAtAtoms: 0.25 },
          loss: {
            distance: "l2",
            huberC: undefined,
            adaptivePower: 1,
            adaptiveC: 1e-3,
            executedWeight: 1,
            smoothness: 0,
            paddedShare: undefined,
          },
          real: {
            share: 0,
            kind: "demonstrations",
            snapDistance: 0.1,
            inversionSteps: 25,
            inversionError: 0.05,
            timeLaw: "beta",
          },
        },
      },
    });
  });

  it("has fewer steps for reflow, and all samples at time 1 for distillation", () => {
    expect(parse(REFLOW).steps).toBe(15_000);
    expect(parse({ ...REFLOW, reflow: { stage: "distill" } }).reflow.time.shareAtAtoms).toBe(1);
    const mixture = { stage: "distill", time: { share_at_atoms: 0.5, atoms: [1, 0.5] } };
    expect(parse({ ...REFLOW, reflow: mixture }).reflow.time).toMatchObject({ shareAtAtoms: 0.5, atoms: [1, 0.5] });
  });

  it("gives AdamW LeRobot's defaults when presets are off", () => {
    const scheduler = { num_warmup_steps: 10, num_decay_steps: 100, peak_lr: 1e-3, decay_lr: 0 };
    const config = parse({ ...MINIMAL, use_policy_training_preset: false, optimizer: {}, scheduler });
    expect(config.optimizer).toEqual({
      type: "adamw",
      lr: 1e-3,
      weightDecay: 0.01,
      gradClipNorm: 10,
      betas: [0.9, 0.999],
      eps: 1e-8,
    });
    expect(config.scheduler).toEqual({
      type: "cosine_decay_with_warmup",
      numWarmupSteps: 10,
      numDecaySteps: 100,
      peakLr: 1e-3,
      decayLr: 0,
    });
  });

  it("keeps overrides of the policy's own fields under their own names", () => {
    const config = parse({ ...MINIMAL, ...policy({ n_action_steps: 25, device: "cuda", rtc_config: null }) });
    expect(config.policy.fields).toEqual({ n_action_steps: 25, rtc_config: null });
    expect(policyOverrides(config)).toEqual({
      n_action_steps: 25,
      rtc_config: null,
      device: "cuda",
      push_to_hub: false,
      repo_id: null,
    });
  });

  it("allows a policy path beside the type only if it is the teacher's", () => {
    expect(parse({ ...REFLOW, ...policy({ path: "./teacher/" }, REFLOW_POLICY) }).policy.path).toBe("./teacher/");
  });

  it("allows a seed to be left open", () => {
    expect(parse({ ...MINIMAL, seed: null }).seed).toBeUndefined();
  });
});

describe("a wrong value", () => {
  it.each<[Raw, string]>([
    [{ batch_size: 0 }, "training config at batch_size: expected a number of at least 1, got 0"],
    [{ batch_size: "large" }, 'training config at batch_size: expected a number, got "large"'],
    [{ steps: 1.5 }, "training config at steps: expected a whole number, got 1.5"],
    [{ tolerance_s: 0 }, "training config at tolerance_s: expected a number above 0, got 0"],
    [{ resume: "yes" }, 'training config at resume: expected true or false, got "yes"'],
    [{ precision: "half" }, 'training config at precision: expected one of "fp32", "bf16", got "half"'],
    [
      { reflow: { padded_dims: "zeros" } },
      'training config at reflow.padded_dims: expected one of "teacher", "zero", "mask", got "zeros". Did you mean "zero"?',
    ],
    [
      { reflow: { time: { law: "normal" } } },
      'training config at reflow.time.law: expected one of "beta", "uniform", "u_shaped", "logit_normal", "shift", got "normal"',
    ],
    [{ reflow: { time: { atoms: [1, 1] } } }, "training config at reflow.time.atoms: expected each time once"],
    [{ reflow: { time: { atoms: [0] } } }, "training config at reflow.time.atoms.0: expected a number above 0, got 0"],
    [{ optimizer: { type: "sgd" } }, 'training config at optimizer.type: expected "adamw", got "sgd"'],
    [{ job_name: "" }, 'training config at job_name: expected a text that is not empty, got ""'],
    [
      { job_name: 7 },
      "training config at job_name: expected a text, got 7. Quote it to keep it as text: --job_name='\"7\"'",
    ],
    [
      policy({ reflow_num_inference_steps: 0 }),
      "training config at policy.reflow_num_inference_steps: expected a number of at least 1, got 0",
    ],
    [{ batchsize: 8 }, 'training config at batchsize: unknown key. Did you mean "batch_size"?'],
    [policy({ chunksize: 8 }), 'training config at policy.chunksize: unknown key. Did you mean "chunk_size"?'],
    [{ optimizer_lr: 1 }, 'training config at optimizer_lr: unknown key. Did you mean "policy.optimizer_lr"?'],
    [{ lr: 1 }, 'training config at lr: unknown key. Did you mean "optimizer.lr"?'],
    [
      policy({ batch_size: 1 }),
      'training config at policy.batch_size: unknown key. Did you mean "batch_size" or "eval.batch_size"?',
    ],
    [{ completely_unknown: 1 }, "training config at completely_unknown: unknown key"],
  ])("is refused: %j", (changes, message) => {
    expect(() => parse({ ...MINIMAL, ...changes })).toThrow(expect.objectContaining({ message }));
  });

  it("is refused together with all others", () => {
    expect(() => parse({ ...MINIMAL, steps: 0, lr: 1, dataset: { episodes: [-1] } })).toThrow(
      expect.objectContaining({
        message: [
          "training config: 3 problems",
          "  - dataset.episodes.0: expected a number of at least 0, got -1",
          "  - steps: expected a number of at least 1, got 0",
          '  - lr: unknown key. Did you mean "optimizer.lr"?',
        ].join("\n"),
      }),
    );
  });

  it("is refused if it is no mapping at all", () => {
    expect(() => parse([])).toThrow("training config: expected an object, got []");
  });
});

describe("settings that do not fit together", () => {
  it.each<[Raw, string]>([
    [
      { dataset: {} },
      "training config at dataset: expected dataset.repo_id (a Hub id) or dataset.root (a folder), got neither",
    ],
    [
      { policy: {} },
      "training config at policy: expected policy.path (train a policy further) or policy.type=smolvla (a new one), got neither",
    ],
    [
      { policy: { type: "act" } },
      'training config at policy.type: expected "smolvla", got "act". Other policies cannot be trained here',
    ],
    [
      policy({ path: "base" }),
      'training config at policy.type: expected nothing beside policy.path, got "smolvla". Give policy.path to train a ' +
        "policy further, or policy.type for a new one",
    ],
    [
      { policy: { path: "a", pretrained_path: "b" } },
      'training config at policy.pretrained_path: expected policy.path ("a") or nothing, got "b"',
    ],
    [
      policy({ use_reflow: true }),
      "training config at policy.teacher_model_path: expected the teacher's folder or Hub id, got nothing. Reflow needs a teacher",
    ],
    [
      policy({ path: "base", student_init: "vlm" }, REFLOW_POLICY),
      'training config at policy.student_init: expected nothing beside a student of its own ("base"), got "vlm". Give one of the two',
    ],
    [
      { ...policy({}, REFLOW_POLICY), reflow: { pairs: "set", pair_uses: 2 } },
      "training config at reflow.pair_uses: expected 1 beside reflow.pairs, got 2. Stored pairs are used as often as their frames come",
    ],
    [
      policy({ push_to_hub: true }),
      "training config at policy.repo_id: expected the Hub id to upload to, got nothing. policy.push_to_hub=true needs it",
    ],
    [
      policy({ optimizer_lr: 1e-7, scheduler_decay_lr: 2.5e-6 }),
      "training config at policy.scheduler_decay_lr: expected at most policy.optimizer_lr (1e-7), got 0.0000025. The cosine " +
        '"decay" would raise the learning rate from 1e-7 to 0.0000025 during the run (2.5e-6 is LeRobot\'s default for the ' +
        "final rate). Set --policy.scheduler_decay_lr to 1e-7 or less",
    ],
    [
      { dataset: { repo_id: "a/b", streaming: true } },
      "training config at dataset.streaming: expected false, got true. Datasets are read from a local folder; they are " +
        "downloaded first",
    ],
    [
      { dataset: { repo_id: "a/b", image_transforms: { enable: true } } },
      "training config at dataset.image_transforms.enable: expected false, got true. Random changes of the images during " +
        "training are not available",
    ],
    [
      { env: { type: "aloha" } },
      'training config at env: expected nothing, got {"type":"aloha"}. Simulation during training is not available; ' +
        "evaluate the saved checkpoints instead",
    ],
    [
      policy({ use_peft: true }),
      "training config at policy.use_peft: expected false, got true. It says that a policy folder is an adapter; to train " +
        "one give --peft.r and other settings of peft",
    ],
    [
      { peft: {}, ...policy({ train_expert_only: false }) },
      "training config at peft: expected nothing beside policy.train_expert_only=false, got an adapter. It corrects the expert alone",
    ],
    [
      { health: "backoff", save_checkpoint: false },
      "training config at save_checkpoint: expected true beside health=backoff, got false. A run that goes back needs " +
        "checkpoints to go back to",
    ],
    [
      { use_rabc: true },
      "training config at use_rabc: expected false, got true. Weighting samples by progress (RA-BC) is not available",
    ],
    [
      { resume: true, overwrite: true },
      "training config at overwrite: expected false beside resume=true, got true. Choose one of the two",
    ],
    [{ eval: { n_episodes: 5 } }, "training config at eval.batch_size: expected at most eval.n_episodes (5), got 50"],
    [
      { use_policy_training_preset: false },
      "training config: 2 problems\n" +
        "  - optimizer: expected settings, got nothing. use_policy_training_preset=false needs both optimizer and scheduler\n" +
        "  - scheduler: expected settings, got nothing. use_policy_training_preset=false needs both optimizer and scheduler",
    ],
    [
      {
        use_policy_training_preset: false,
        optimizer: { lr: 1e-7 },
        scheduler: { num_warmup_steps: 1, num_decay_steps: 2, peak_lr: 1e-7, decay_lr: 1e-6 },
      },
      "training config at scheduler.decay_lr: expected at most scheduler.peak_lr (1e-7), got 0.000001. The cosine " +
        '"decay" would raise the learning rate from 1e-7 to 0.000001 during the run (2.5e-6 is LeRobot\'s default for the ' +
        "final rate). Set --scheduler.decay_lr to 1e-7 or less",
    ],
  ])("are refused: %j", (changes, message) => {
    expect(() => parse({ ...MINIMAL, ...changes })).toThrow(expect.objectContaining({ message }));
  });

  it("are judged by the checkpoint when a run continues", () => {
    expect(() => parse({ resume: true, output_dir: "run" })).not.toThrow();
    expect(() =>
      parse({ ...REFLOW, resume: true, ...policy({ pretrained_path: "run" }, REFLOW_POLICY) }),
    ).not.toThrow();
  });
});

describe("a setting without effect", () => {
  it.each<[Raw, readonly string[]]>([
    [
      policy({ teacher_model_path: "t", reflow_num_inference_steps: 4 }),
      [
        "policy.teacher_model_path has no effect: policy.use_reflow is false",
        "policy.reflow_num_inference_steps has no effect: policy.use_reflow is false",
      ],
    ],
    [
      { reflow: { padded_dims: "mask", time: { law: "uniform" } } },
      [
        "reflow.padded_dims has no effect: policy.use_reflow is false",
        "reflow.time.law has no effect: policy.use_reflow is false",
      ],
    ],
    [
      { optimizer: { lr: 1e-5 } },
      [
        "optimizer has no effect: use_policy_training_preset is true, so policy.optimizer_* and policy.scheduler_* decide",
      ],
    ],
    [
      policy({ repo_id: "me/mine" }),
      ["policy.repo_id has no effect: policy.push_to_hub is false (the default here, unlike in LeRobot)"],
    ],
    [policy({ push_to_hub: true, repo_id: "me/mine" }), []],
    [{ save_checkpoint: false, save_freq: 5 }, ["save_freq has no effect: save_checkpoint is false"]],
    [
      { eval_freq: 5, eval: { batch_size: 1 } },
      ["eval.batch_size has no effect: there is no simulation during training; evaluate the saved checkpoints instead"],
    ],
    [
      { dataset: { repo_id: "a/b", video_backend: "pyav", image_transforms: { random_order: true } } },
      [
        "dataset.video_backend has no effect: frames are always decoded by this program's own decoder",
        "dataset.image_transforms.random_order has no effect: dataset.image_transforms.enable is false",
      ],
    ],
    [{ wandb: { project: "mine" } }, ["wandb.project has no effect: wandb.enable is false"]],
    [
      { wandb: { enable: true, project: "mine", disable_artifact: true } },
      ["wandb.disable_artifact has no effect: checkpoints are never uploaded as artifacts"],
    ],
    [{ rabc_kappa: 1 }, ["rabc_kappa has no effect: use_rabc is false"]],
    [{ checkpoint_path: "x" }, ["checkpoint_path has no effect: resume is false"]],
    [
      {
        use_policy_training_preset: false,
        optimizer: { lr: 2e-4 },
        scheduler: { num_warmup_steps: 1, num_decay_steps: 2, peak_lr: 1e-4, decay_lr: 5e-5 },
        ...policy({ optimizer_lr: 1 }),
      },
      [
        "policy.optimizer_lr has no effect: use_policy_training_preset is false, so optimizer and scheduler decide",
        "scheduler.peak_lr (0.0001) differs from optimizer.lr (0.0002): as in LeRobot the rate runs from optimizer.lr to " +
          "optimizer.lr * decay_lr / peak_lr = 0.0001",
      ],
    ],
    [
      { resume: true, optimizer: { lr: 1e-4 }, ...policy({ optimizer_lr: 2e-5 }) },
      ["policy.optimizer_lr has no effect: a run that continues keeps the learning rate it had (0.0001)"],
    ],
  ])("is reported: %j", (changes, warnings) => {
    expect(warningsOf(changes)).toEqual(warnings);
  });

  it("is not reported where it has one", () => {
    expect(warningsOf({ reflow: { padded_dims: "zero" } }, REFLOW)).toEqual([]);
  });
});

describe("trainingPreset", () => {
  it("has SmolVLA's defaults", () => {
    expect(trainingPreset({})).toEqual({
      optimizer: { type: "adamw", lr: 1e-4, weightDecay: 1e-10, gradClipNorm: 10, betas: [0.9, 0.95], eps: 1e-8 },
      scheduler: {
        type: "cosine_decay_with_warmup",
        numWarmupSteps: 1000,
        numDecaySteps: 30_000,
        peakLr: 1e-4,
        decayLr: 2.5e-6,
      },
    });
  });

  it("refuses a learning rate below the default final rate, with the reason", () => {
    expect(() => trainingPreset({ optimizer_lr: 1e-7 })).toThrow(
      /expected at most policy\.optimizer_lr \(1e-7\), got 0\.0000025\. The cosine "decay" would raise the learning rate/,
    );
  });

  it("refuses values out of range", () => {
    expect(() => trainingPreset({ optimizer_betas: [0.9, 1] })).toThrow(
      "training preset in the policy's config at optimizer_betas.1: expected a number below 1, got 1",
    );
  });

  it("fills in the configuration unless that has its own settings and is to keep them", () => {
    const optimizer = { lr: 3e-4 };
    const scheduler = { num_warmup_steps: 1, num_decay_steps: 2, peak_lr: 3e-4, decay_lr: 0 };
    const raw = { ...MINIMAL, optimizer, scheduler };
    expect(withTrainingPreset(parse(raw), {}).optimizer.lr).toBe(1e-4);
    expect(withTrainingPreset(parse({ ...raw, resume: true }), {}).optimizer.lr).toBe(3e-4);
    expect(withTrainingPreset(parse({ ...raw, use_policy_training_preset: false }), {}).scheduler.decayLr).toBe(0);
    expect(withTrainingPreset(parse({ ...MINIMAL, resume: true }), {}).optimizer.lr).toBe(1e-4);
  });
});

describe("conflictsWithTeacher", () => {
  const teacher = { chunk_size: 50, normalization_mapping: { STATE: "MEAN_STD" }, num_steps: 10 };

  it("finds overrides that would give the student another network or other units", () => {
    expect(conflictsWithTeacher({ chunk_size: 20, normalization_mapping: { STATE: "MIN_MAX" } }, teacher)).toEqual([
      {
        path: "policy.chunk_size",
        message:
          "expected the teacher's 50, got 20. A reflow student reads and acts as its teacher does; leave this setting out",
      },
      {
        path: "policy.normalization_mapping",
        message:
          'expected the teacher\'s {"STATE":"MEAN_STD"}, got {"STATE":"MIN_MAX"}. A reflow student reads and ' +
          "acts as its teacher does; leave this setting out",
      },
    ]);
  });

  it("lets a student that is no copy have another size", () => {
    expect(conflictsWithTeacher({ num_vlm_layers: 2 }, teacher, isNetworkField)).toEqual([]);
    expect(conflictsWithTeacher({ chunk_size: 10 }, teacher, isNetworkField)).toHaveLength(1);
  });

  it("allows what equals the teacher's, and what concerns only training and sampling", () => {
    const overrides = {
      chunk_size: 50,
      num_steps: 1,
      optimizer_lr: 1e-5,
      scheduler_decay_lr: 0,
      train_expert_only: false,
    };
    expect(conflictsWithTeacher(overrides, teacher)).toEqual([]);
  });
});

describe("SMOLVLA_FIELD_NAMES", () => {
  it("are the fields of LeRobot 0.4.4's SmolVLA config besides those that are settings of the run", () => {
    expect(SMOLVLA_FIELD_NAMES).toHaveLength(46);
    expect(SMOLVLA_FIELD_NAMES).toContain("expert_width_multiplier");
    expect(SMOLVLA_FIELD_NAMES).not.toContain("device");
  });
});

describe("trainConfigToJson", () => {
  const full = {
    ...REFLOW,
    ...policy({ optimizer_lr: 2e-5, n_action_steps: 10, device: "cpu", tags: ["a"] }, REFLOW_POLICY),
    dataset: { root: "data", episodes: [0, 3] },
    seed: null,
    rename_map: { "observation.images.front_view": "observation.images.top" },
    precision: "bf16",
    reflow: { padded_dims: "zero", time: { law: "u_shaped" } },
    wandb: { notes: "a", mode: "offline" },
  };

  it.each([
    ["as parsed", (config: TrainConfig): TrainConfig => config],
    ["with its preset", (config: TrainConfig): TrainConfig => withTrainingPreset(config, { optimizer_lr: 2e-5 })],
  ])("loses nothing of a configuration %s", (_, resolve) => {
    for (const raw of [MINIMAL, full]) {
      const config = resolve(parse(raw));
      const text = JSON.stringify(trainConfigToJson(config));
      expect(trainConfigFromJson(JSON.parse(text))).toStrictEqual(config);
    }
  });
});

describe("resumeTarget", () => {
  const request = (overrides: Raw, configPath?: string, file: Raw = {}) =>
    resumeTarget({ overrides, settings: { ...file, ...overrides }, configPath });

  it("is nothing unless a run is to continue", () => {
    expect(request({ output_dir: "run" })).toBeUndefined();
    expect(request({ resume: false, output_dir: "run" })).toBeUndefined();
  });

  it("means the last checkpoint of an output_dir", () => {
    const expected = {
      checkpointFolder: "run/checkpoints/last",
      policyFolder: "run/checkpoints/last/pretrained_model",
      trainConfigPath: "run/checkpoints/last/pretrained_model/train_config.json",
      outputDir: "run",
    };
    expect(request({ resume: true, output_dir: "run" })).toEqual(expected);
    expect(request({ resume: true }, "settings.yaml", { output_dir: "run" })).toEqual(expected);
  });

  it("means the checkpoint around LeRobot's config_path", () => {
    const file = "/runs/a/checkpoints/000100/pretrained_model/train_config.json";
    const expected = {
      checkpointFolder: "/runs/a/checkpoints/000100",
      policyFolder: "/runs/a/checkpoints/000100/pretrained_model",
      trainConfigPath: file,
    };
    expect(request({ resume: true }, file, { output_dir: "old" })).toEqual({ ...expected, outputDir: "/runs/a" });
    expect(request({ resume: true, output_dir: "b" }, file)).toEqual({ ...expected, outputDir: "b" });
  });

  it("takes the run's folder from the settings for a checkpoint that lies elsewhere", () => {
    const file = "/copies/step/pretrained_model/train_config.json";
    expect(request({ resume: true }, file, { output_dir: "old" })?.outputDir).toBe("old");
    expect(request({ resume: true }, file)?.outputDir).toBeUndefined();
  });

  it("asks for the run if none is named", () => {
    expect(() => request({ resume: true })).toThrow(
      "--resume: expected the run to continue, got nothing. Give --output_dir=<run>, or " +
        "--config_path=<run>/checkpoints/last/pretrained_model/train_config.json",
    );
  });
});
