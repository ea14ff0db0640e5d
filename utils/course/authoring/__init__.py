"""What authors of notebooks use: checks of what is committed, publishing, tidying, the template, recorded results."""
