"""What the documentation is built with: figures, formulas, links."""
