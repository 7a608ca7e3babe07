"""What a checkpoint is, read from its file without loading the network."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Any

import yaml

from processors.runtime.errors import UserError


def describe(path: Path) -> dict[str, str]:
    """Names and values to print. Raises UserError when the file is no `.nemo` checkpoint."""
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}: train one with `tingjian model train`")
    content = path.read_bytes()
    config = _config(path)
    encoder, vocabulary = config.get("encoder", {}), config.get("decoder", {}).get("vocabulary", [])
    return {
        "file": str(path),
        "size": f"{len(content) / 1e6:.1f} MB",
        "sha256": hashlib.sha256(content).hexdigest(),
        "kind": str(config.get("target", "unknown")).rsplit(".", 1)[-1],
        "NeMo version": str(config.get("nemo_version", "unknown")),
        "input": f"{config.get('sample_rate', '?')} Hz, {config.get('preprocessor', {}).get('features', '?')} log-mel",
        "encoder": f"{encoder.get('n_layers', '?')} layers of width {encoder.get('d_model', '?')}",
        "attention contexts": str(encoder.get("att_context_size", "?")),
        "characters": str(max(0, len(vocabulary) - 1)),
    }


def _config(path: Path) -> dict[str, Any]:
    try:
        with tarfile.open(path) as archive:
            name = next(m for m in archive.getnames() if m.endswith("model_config.yaml"))
            file = archive.extractfile(name)
            if file is None:
                raise StopIteration
            loaded: dict[str, Any] = yaml.safe_load(file.read())
    except (tarfile.TarError, StopIteration, yaml.YAMLError) as error:
        raise UserError(f"{path} is no NeMo checkpoint") from error
    return loaded
