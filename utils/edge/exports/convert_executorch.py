"""Runs in the converter's environment alone: a `torch.export` program becomes a .pte for ExecuTorch with XNNPACK.

Usage: convert_executorch.py PROGRAM.pt2 TARGET.pte fp32|int8 MAX_PAIRS MAX_TOKENS
"""

import sys

import torch

N_INPUTS = 3


def main(source: str, target: str, precision: str, max_pairs: str, max_tokens: str) -> None:
    """Write the .pte; in int8 the matrix products' weights are whole numbers, one scale a channel."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

    program = torch.export.load(source)
    if precision == "int8":
        program = quantized(program, max_pairs=int(max_pairs), max_tokens=int(max_tokens))
    lowered = to_edge_transform_and_lower(
        program, partitioner=[XnnpackPartitioner()], compile_config=EdgeCompileConfig(_check_ir_validity=False)
    )
    with open(target, "wb") as file:
        lowered.to_executorch().write_to_file(file)


def quantized(program, *, max_pairs: int, max_tokens: int):
    """The program with int8 weights; the range of each activation is found anew when it runs (dynamic)."""
    from executorch.backends.xnnpack.quantizer import xnnpack_quantizer as xnnpack
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    example = tuple(torch.ones(3, 7, dtype=torch.int64) for _ in range(N_INPUTS))
    config = xnnpack.get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True)
    prepared = prepare_pt2e(program.module(), xnnpack.XNNPACKQuantizer().set_global(config))
    prepared(*example)
    free = {0: torch.export.Dim("n_pairs", max=max_pairs), 1: torch.export.Dim("n_tokens", max=max_tokens)}
    return torch.export.export(convert_pt2e(prepared), example, dynamic_shapes=tuple(free for _ in example))


if __name__ == "__main__":
    main(*sys.argv[1:])
