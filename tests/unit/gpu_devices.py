"""Which devices the tests of utils.speed.gpu run on: the CPU, and a card where there is one."""

import torch


def devices() -> list[str]:
    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
