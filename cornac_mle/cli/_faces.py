"""What a command prints of a report: the table, the summary for programs, or the folder alone."""

import json
from pathlib import Path

from cornac_mle.cli._terminal import NOT_PRINTED, one_line, say, write
from cornac_mle.report.report import Report
from cornac_mle.report.table import output_console, score_table


def show(
    report: Report, folder: Path | None, *, as_json: bool, quiet: bool, assumed: bool = True
) -> int:
    """Print a report, and where it was written, if it was; gives the exit status.

    The summary for programs stands alone on standard output. What was `assumed` of files can be
    left out of the table where it was said before.
    """
    line = "" if folder is None else one_line(folder if quiet else f"Written: {folder}")
    if as_json:
        printed = write(json.dumps(report.summary(), indent=2, allow_nan=False) + "\n")
        if line:
            say(line)
        return 0 if printed else NOT_PRINTED
    printed = quiet or _print_table(report, assumed)
    if line and not (printed and write(f"{line}\n")):
        say(line)
    return 0 if printed else NOT_PRINTED


def _print_table(report: Report, assumed: bool) -> bool:
    """Print the tables; False, with the reason said, where that cannot be."""
    try:
        console = output_console()
        with console.capture() as captured:
            console.print(score_table(report.summary(), console.width, assumed=assumed))
        return write(captured.get())
    except Exception as error:  # the files are there
        say(f"could not print the table: {type(error).__name__}: {error}")
        return False
