"""The course itself: beginning and finishing a notebook, running them, the report, the command line.

A notebook meets `run` (`course.begin`), `stages`, `measure_stage`, `ledger_fields`, `tables`, `price_table` and
`records`. A command meets `runner` (which notebooks run), `execution` (how one runs), `fingerprint` (whether it must),
`report` and `cli`. `pipeline` makes a recipe's stages without notebooks. Here rows are written and stages kept; what a
technique does is decided above.
"""


def __getattr__(name: str):
    """`course.begin` without loading PyTorch for those who only ask for the command line's help."""
    if name == "begin":
        from utils.course.run import begin

        return begin
    raise AttributeError(f"module 'utils.course' has no attribute '{name}'")
