"""Command line: compare models, sample users, list data sets."""

import os
import sys
from typing import Any


def main() -> None:
    """Run the command line."""
    try:
        from cornac_mle.cli._app import app
    except KeyboardInterrupt:
        os.write(2, b"interrupted: nothing was written\n")
        sys.exit(130)
    app()


def __getattr__(name: str) -> Any:
    """Give `app`, whose libraries are imported only once `main` can say that it was interrupted."""
    if name == "app":
        from cornac_mle.cli._app import app

        return app
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
