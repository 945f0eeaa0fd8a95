"""A report as one page of HTML that needs nothing else: no network, no other file, no script."""

from cornac_mle.report.page._pictures import Drawn, Picture, Pictures
from cornac_mle.report.page.page import as_page

__all__ = ["Drawn", "Picture", "Pictures", "as_page"]
