"""What stock LeRobot and its Hub client do with a Hub: `hub.py upload|download|card|stock-card`. Asks HF_ENDPOINT."""

from __future__ import annotations

import json
import sys

from huggingface_hub import HfApi, ModelCard, snapshot_download


def upload(folder: str, repo_id: str) -> None:
    """The calls of `PreTrainedPolicy.push_model_to_hub`."""
    api = HfApi()
    repo_id = api.create_repo(repo_id=repo_id, private=True, exist_ok=True).repo_id
    commit = api.upload_folder(
        repo_id=repo_id,
        repo_type="model",
        folder_path=folder,
        commit_message="Upload policy weights, train config and readme",
        allow_patterns=["*.safetensors", "*.json", "*.yaml", "*.md"],
        ignore_patterns=["*.tmp", "*.log"],
    )
    print(commit.oid)


def download(repo_id: str, folder: str) -> None:
    snapshot_download(repo_id, local_dir=folder)


def card(path: str) -> None:
    """The head of a card, as the Hub's client reads it."""
    print(json.dumps(ModelCard.load(path).data.to_dict()))


def stock_card(dataset: str, license: str, *tags: str) -> None:
    from lerobot.policies.pretrained import PreTrainedPolicy

    # It would ask the public Hub, whatever HF_ENDPOINT says.
    ModelCard.validate = lambda *_, **__: None
    generated = PreTrainedPolicy.generate_model_card(None, dataset, "smolvla", license or None, list(tags) or None)
    print(json.dumps(generated.data.to_dict()))


if __name__ == "__main__":
    name, *args = sys.argv[1:]
    {"upload": upload, "download": download, "card": card, "stock-card": stock_card}[name](*args)
