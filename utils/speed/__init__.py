"""What makes a model that is there already answer sooner or more often, without changing what it computes."""
