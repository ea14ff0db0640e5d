"""Which devices the tests of utils.speed.gpu run on: the CPU, and a card where there is one."""

from utils.speed.gpu import device


def devices() -> list[str]:
    """The kinds, for tests that are parametrised over them."""
    return ["cpu", *([device.choose().kind] if device.choose().is_card else [])]
