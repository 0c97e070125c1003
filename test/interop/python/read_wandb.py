"""What Weights & Biases' own client makes of a run that was kept offline.

    read_wandb.py --file FILE               the records of a `.wandb` file, read by its `DataStore`
    read_wandb.py --folder DIR --url URL    `wandb sync DIR` to the server at URL, with a made-up key

The first prints a JSON list of records in the client's own JSON form. The second prints what `wandb sync` said and fails
unless that ended well; it writes its own files to a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile

from google.protobuf.json_format import MessageToDict
from wandb.proto import wandb_internal_pb2
from wandb.sdk.internal.datastore import DataStore


def read_records(path: str) -> list[dict]:
    store = DataStore()
    store.open_for_scan(path)
    records = []
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        records.append(MessageToDict(record, preserving_proto_field_name=True))
    return records


def sync(folder: str, url: str) -> None:
    with tempfile.TemporaryDirectory() as own:
        settings = {"BASE_URL": url, "API_KEY": "0123456789" * 4, "ERROR_REPORTING": "false"}
        folders = {f"{name}_DIR": own for name in ("CONFIG", "CACHE", "DATA", "ARTIFACT")}
        variables = {f"WANDB_{name}": value for name, value in (settings | folders).items()}
        environment = os.environ | variables | {"TMPDIR": own, "HOME": own}
        command = [sys.executable, "-m", "wandb", "sync", folder]
        result = subprocess.run(command, env=environment, cwd=own, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"wandb sync: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    print(result.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file")
    parser.add_argument("--folder")
    parser.add_argument("--url")
    arguments = parser.parse_args()
    if arguments.file is not None:
        print(json.dumps(read_records(arguments.file)))
    else:
        sync(arguments.folder, arguments.url)


if __name__ == "__main__":
    main()
