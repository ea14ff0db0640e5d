"""The ranker on a graphics card, or on the CPU by the same code where there is none; `device` alone knows which."""
