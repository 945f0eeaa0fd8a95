"""What a notebook shows of an evaluation method."""

from cornac_mle.files.markup import block, note
from cornac_mle.report.report import Report


def method_html(spelt: str, report: Report) -> str:
    """Lay out how users were split, and what was measured so far."""
    lost = [f"{count:,} {reason}" for reason, count in report.dropped.items()]
    dropped = note(f"Left out: {'; '.join(lost)}.") if lost else ""
    return block(spelt, report._repr_html_() if report.entries else dropped)
