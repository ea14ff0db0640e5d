"""What authors of the course use and learners do not: checks of what is committed, publishing, recorded results."""
