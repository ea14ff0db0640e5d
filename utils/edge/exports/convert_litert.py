"""Runs in the converter's environment alone: a `torch.export` program becomes a .tflite with one signature a shape.

Usage: convert_litert.py PROGRAM.pt2 TARGET.tflite fp32|int8 N_PAIRSxN_TOKENS ...
"""

import sys

import torch

N_INPUTS = 3


def main(source: str, target: str, precision: str, *shapes: str) -> None:
    """Write the .tflite; in int8 weights are whole numbers and the range of each activation is found as it runs."""
    import litert_torch

    module = torch.export.load(source).module()
    converter = litert_torch
    for shape in shapes:
        size = tuple(int(number) for number in shape.split("x"))
        converter = converter.signature(
            f"pairs_{shape}", module, tuple(torch.ones(size, dtype=torch.int32) for _ in range(N_INPUTS))
        )
    converter.convert().export(target)
    if precision == "int8":
        quantize(target)


def quantize(path: str) -> None:
    """Dynamic range: int8 weights with a scale a channel, fp32 between the products; the file is replaced."""
    from ai_edge_quantizer import quantizer, recipe

    one = quantizer.Quantizer(path, recipe.dynamic_wi8_afp32())
    one.quantize().export_model(path, overwrite=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
