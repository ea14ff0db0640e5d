"""Students: how one starts, the pairs its teacher scores for it, and what it copies of the scores."""
