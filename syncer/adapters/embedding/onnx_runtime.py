"""A transformer on ONNX Runtime."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from syncer.adapters.embedding.converted import Arrays, Run, exported_from

_FILE = "model.onnx"


def convert(transformer: Any, example: Arrays, folder: Path, quantisation: str) -> None:
    """Implements `Runtime.convert`."""
    import onnxruntime.quantization
    import torch

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    whole = folder / "float32.onnx"
    either = torch.export.Dim.DYNAMIC
    torch.onnx.export(
        exported_from(transformer, example),
        tuple(map(torch.from_numpy, example.values())),
        whole,
        input_names=list(example),
        dynamic_shapes=(tuple({0: either, 1: either} for _ in example),),
        dynamo=True,
        external_data=True,
        verbose=False,
    )
    if quantisation != "int8":
        whole.rename(folder / _FILE)
        return
    # A scale for each channel: with one for each matrix the mean cosine with torch is 0.957, not 0.994 (MiniLM).
    onnxruntime.quantization.quantize_dynamic(whole, folder / _FILE, op_types_to_quantize=["MatMul"], per_channel=True)
    for path in folder.glob(f"{whole.name}*"):
        path.unlink()


def load(folder: Path, _quantisation: str) -> Run:
    """Implements `Runtime.load`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Threads that wait for work by asking for it take the cores from Postgres and Elasticsearch.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(folder / _FILE, options, providers=onnxruntime.get_available_providers())
    wanted = [one.name for one in session.get_inputs()]
    return lambda arrays: session.run(None, {name: arrays[name] for name in wanted})[0]
