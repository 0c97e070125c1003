import { describe, expect, it } from "vitest";
import { parseTrainConfig } from "./config.js";
import { withTrainingPreset } from "./config-preset.js";
import { formatLeRobotTrainConfig, toLeRobotTrainConfig } from "./lerobot-train-config.js";

/**
 * Written by LeRobot 0.4.4's own classes (`draccus.dump` of a `TrainPipelineConfig`) for the settings below, with SmolVLA's
 * defaults for the rest.
 */
const STOCK = `{
    "dataset": {
        "repo_id": "user/pick",
        "root": "data/pick",
        "episodes": null,
        "image_transforms": {
            "enable": false,
            "max_num_transforms": 3,
            "random_order": false,
            "tfs": {
                "brightness": {
                    "weight": 1.0,
                    "type": "ColorJitter",
                    "kwargs": {
                        "brightness": [
                            0.8,
                            1.2
                        ]
                    }
                },
                "contrast": {
                    "weight": 1.0,
                    "type": "ColorJitter",
                    "kwargs": {
                        "contrast": [
                            0.8,
                            1.2
                        ]
                    }
                },
                "saturation": {
                    "weight": 1.0,
                    "type": "ColorJitter",
                    "kwargs": {
                        "saturation": [
                            0.5,
                            1.5
                        ]
                    }
                },
                "hue": {
                    "weight": 1.0,
                    "type": "ColorJitter",
                    "kwargs": {
                        "hue": [
                            -0.05,
                            0.05
                        ]
                    }
                },
                "sharpness": {
                    "weight": 1.0,
                    "type": "SharpnessJitter",
                    "kwargs": {
                        "sharpness": [
                            0.5,
                            1.5
                        ]
                    }
                },
                "affine": {
                    "weight": 1.0,
                    "type": "RandomAffine",
                    "kwargs": {
                        "degrees": [
                            -5.0,
                            5.0
                        ],
                        "translate": [
                            0.05,
                            0.05
                        ]
                    }
                }
            }
        },
        "revision": null,
        "use_imagenet_stats": true,
        "video_backend": "torchcodec",
        "streaming": false
    },
    "env": null,
    "policy": {
        "type": "smolvla",
        "n_obs_steps": 1,
        "input_features": {
            "observation.state": {
                "type": "STATE",
                "shape": [
                    6
                ]
            },
            "observation.images.top": {
                "type": "VISUAL",
                "shape": [
                    3,
                    480,
                    640
                ]
            }
        },
        "output_features": {
            "action": {
                "type": "ACTION",
                "shape": [
                    6
                ]
            }
        },
        "device": "cpu",
        "use_amp": false,
        "use_peft": false,
        "push_to_hub": false,
        "repo_id": null,
        "private": null,
        "tags": null,
        "license": null,
        "pretrained_path": "outputs/teacher",
        "chunk_size": 50,
        "n_action_steps": 50,
        "normalization_mapping": {
            "VISUAL": "IDENTITY",
            "STATE": "MEAN_STD",
            "ACTION": "MEAN_STD"
        },
        "max_state_dim": 32,
        "max_action_dim": 32,
        "resize_imgs_with_padding": [
            512,
            512
        ],
        "empty_cameras": 0,
        "adapt_to_pi_aloha": false,
        "use_delta_joint_actions_aloha": false,
        "tokenizer_max_length": 48,
        "num_steps": 10,
        "use_cache": true,
        "freeze_vision_encoder": true,
        "train_expert_only": true,
        "train_state_proj": true,
        "optimizer_lr": 2e-05,
        "optimizer_betas": [
            0.9,
            0.95
        ],
        "optimizer_eps": 1e-08,
        "optimizer_weight_decay": 1e-10,
        "optimizer_grad_clip_norm": 10,
        "scheduler_warmup_steps": 1000,
        "scheduler_decay_steps": 30000,
        "scheduler_decay_lr": 2.5e-06,
        "vlm_model_name": "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
        "load_vlm_weights": false,
        "add_image_special_tokens": false,
        "attention_mode": "cross_attn",
        "prefix_length": -1,
        "pad_language_to": "longest",
        "num_expert_layers": -1,
        "num_vlm_layers": 16,
        "self_attn_every_n_layers": 2,
        "expert_width_multiplier": 0.75,
        "min_period": 0.004,
        "max_period": 4.0,
        "rtc_config": null,
        "compile_model": false,
        "compile_mode": "max-autotune"
    },
    "output_dir": "outputs/straight",
    "job_name": "smolvla",
    "resume": false,
    "seed": 1000,
    "num_workers": 4,
    "batch_size": 32,
    "steps": 20000,
    "eval_freq": 20000,
    "log_freq": 200,
    "tolerance_s": 0.0001,
    "save_checkpoint": true,
    "save_freq": 20000,
    "use_policy_training_preset": true,
    "optimizer": {
        "type": "adamw",
        "lr": 2e-05,
        "weight_decay": 1e-10,
        "grad_clip_norm": 10,
        "betas": [
            0.9,
            0.95
        ],
        "eps": 1e-08
    },
    "scheduler": {
        "type": "cosine_decay_with_warmup",
        "num_warmup_steps": 1000,
        "num_decay_steps": 30000,
        "peak_lr": 2e-05,
        "decay_lr": 2.5e-06
    },
    "eval": {
        "n_episodes": 50,
        "batch_size": 50,
        "use_async_envs": false
    },
    "wandb": {
        "enable": false,
        "disable_artifact": false,
        "project": "lerobot",
        "entity": null,
        "notes": null,
        "run_id": null,
        "mode": null
    },
    "peft": null,
    "use_rabc": false,
    "rabc_progress_path": null,
    "rabc_kappa": 0.01,
    "rabc_epsilon": 1e-06,
    "rabc_head_mode": "sparse",
    "rename_map": {},
    "checkpoint_path": null
}`;

const SETTINGS = {
  dataset: { repo_id: "user/pick", root: "data/pick" },
  policy: { type: "smolvla", use_reflow: true, teacher_model_path: "outputs/teacher", optimizer_lr: 2e-5 },
  output_dir: "outputs/straight",
  batch_size: 32,
  steps: 20_000,
};

const stock = JSON.parse(STOCK) as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
const config = withTrainingPreset(parseTrainConfig(SETTINGS).config, stock.policy!);

describe("toLeRobotTrainConfig", () => {
  it("prints the file that LeRobot 0.4.4 prints for the same settings, byte for byte", () => {
    expect(formatLeRobotTrainConfig(config, stock.policy!)).toBe(STOCK);
  });

  it("has LeRobot's keys in LeRobot's order, and no others", () => {
    const written = toLeRobotTrainConfig(config, stock.policy!) as typeof stock;
    expect(Object.keys(written)).toEqual(Object.keys(stock));
    for (const section of ["dataset", "policy", "optimizer", "scheduler", "eval", "wandb"]) {
      expect(Object.keys(written[section]!), section).toEqual(Object.keys(stock[section]!));
    }
  });

  it("leaves out our own settings and those of later LeRobot versions", () => {
    const policy = { ...stock.policy, use_reflow: true, teacher_model_path: "x", pretrained_revision: null };
    expect(toLeRobotTrainConfig(config, policy)).toEqual(toLeRobotTrainConfig(config, stock.policy!));
  });

  it("uploads where the run says, not where the teacher was uploaded", () => {
    const published = { ...stock.policy, push_to_hub: true, repo_id: "someone/teacher" };
    expect(toLeRobotTrainConfig(config, published).policy).toMatchObject({ push_to_hub: false, repo_id: null });
  });

  it("names a dataset without an id after its folder, since LeRobot needs a name", () => {
    const { config: local } = parseTrainConfig({ dataset: { root: "data/pick/" }, policy: { type: "smolvla" } });
    const written = toLeRobotTrainConfig(local, stock.policy!);
    expect(written.dataset).toMatchObject({ repo_id: "pick", root: "data/pick/" });
    expect([written.optimizer, written.scheduler]).toEqual([null, null]);
  });

  it("is read back as the same run when a run continues from LeRobot's file", () => {
    const { config: read, warnings } = parseTrainConfig({ ...stock, resume: true });
    expect(warnings).toEqual([]);
    expect(withTrainingPreset(read, stock.policy!)).toMatchObject({
      batchSize: 32,
      optimizer: config.optimizer,
      scheduler: config.scheduler,
      policy: { pretrainedPath: "outputs/teacher" },
    });
  });
});
