"""Public data sets by their name: where their files are, fetching them, and writing the layout of the course."""
