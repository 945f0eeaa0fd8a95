"""Where things are: the repository, its experiments, and real data beside it."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
EXPERIMENTS = REPOSITORY / "experiments"
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
