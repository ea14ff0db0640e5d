"""The course itself: beginning and finishing a notebook, running them, the report, the command line."""


def __getattr__(name: str):
    """`course.begin` without loading PyTorch for those who only ask for the command line's help."""
    if name == "begin":
        from utils.course.run import begin

        return begin
    raise AttributeError(f"module 'utils.course' has no attribute '{name}'")
