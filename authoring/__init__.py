"""What authors of the course use and learners do not: checks of what is committed, publishing, recorded results."""

from utils import environment as environment  # telemetry is off, and nothing foreign decides, before a library is read
