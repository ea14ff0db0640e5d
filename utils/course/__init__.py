"""The course itself: beginning and finishing a notebook, running them, the report, the command line."""
