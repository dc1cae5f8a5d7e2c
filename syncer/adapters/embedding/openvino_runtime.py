"""A transformer on OpenVINO."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from syncer.adapters.embedding.converted import Arrays, Run, exported_from

_FILE = "model.xml"
#: Values of an activation that share a scale, where weights are int8.
_GROUP = "64"


def convert(transformer: Any, example: Arrays, folder: Path, quantisation: str) -> None:
    """Implements `Runtime.convert`."""
    import openvino
    import torch

    tensors = tuple(map(torch.from_numpy, example.values()))
    model = openvino.convert_model(exported_from(transformer, example), example_input=tensors)
    for given, name in zip(model.inputs, example, strict=True):
        given.get_tensor().set_names({name})
    if quantisation == "int8":
        import nncf

        nncf.set_log_level(logging.ERROR)
        # Weights now, activations as they come: no texts to calibrate with, which would have to stand for all.
        model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
    openvino.save_model(model, folder / _FILE, compress_to_fp16=False)


def load(folder: Path, quantisation: str) -> Run:
    """Implements `Runtime.load`."""
    import openvino

    compiled = openvino.Core().compile_model(
        folder / _FILE,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            # Left out, the processor decides, and vectors differ between machines.
            "INFERENCE_PRECISION_HINT": "bf16" if quantisation == "bfloat16" else "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": _GROUP if quantisation == "int8" else "0",
        },
    )

    wanted = [one.get_any_name() for one in compiled.inputs]
    return lambda arrays: compiled({name: arrays[name] for name in wanted})[0]
