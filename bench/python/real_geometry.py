"""A stock SmolVLA policy with the geometry of SmolVLM2-500M and random weights; nothing is fetched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

FIXTURES = Path(__file__).resolve().parents[2] / "test" / "fixtures"
CAMERAS = ("observation.images.camera1", "observation.images.camera2")
IMAGE_SHAPE = (3, 480, 640)
STATE_DIM = 6
ACTION_DIM = 6


def make_base_vlm(folder: Path, native: bool) -> None:
    """The configuration of the real geometry beside a tokenizer and processor, which stock code wants to load too.

    `native` asks for a bf16 text tower, as the published configuration does; the expert copies it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = json.loads((FIXTURES / "smolvlm2-500m-geometry" / "config.json").read_text())
    if native:
        config["text_config"]["dtype"] = "bfloat16"
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    for name in ("tokenizer.json", "tokenizer_config.json", "processor_config.json"):
        shutil.copy(FIXTURES / "tiny-smolvla" / "base-vlm" / name, folder)


def make_config(base_vlm: Path, device: str) -> SmolVLAConfig:
    """Stock defaults for a six-joint robot with two cameras."""
    inputs = {"observation.state": PolicyFeature(FeatureType.STATE, (STATE_DIM,))}
    inputs |= {camera: PolicyFeature(FeatureType.VISUAL, IMAGE_SHAPE) for camera in CAMERAS}
    return SmolVLAConfig(
        input_features=inputs,
        output_features={"action": PolicyFeature(FeatureType.ACTION, (ACTION_DIM,))},
        vlm_model_name=str(base_vlm),
        device=device,
        push_to_hub=False,
    )


def set_precision(policy: SmolVLAPolicy, native: bool) -> SmolVLAPolicy:
    """float32 everywhere, or the types of a policy whose base VLM was loaded by stock code: all of it in bf16."""
    if not native:
        return policy.float()
    parts = policy.model.vlm_with_expert
    if parts.lm_expert.layers[0].mlp.gate_proj.weight.dtype != torch.bfloat16:
        raise SystemExit("real_geometry: expected a policy written with --dtype native, got one with a float32 expert")
    parts.vlm.to(torch.bfloat16)
    return policy
