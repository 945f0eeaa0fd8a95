"""Audits in parts: a pure map over blocks of synthetic users, and a merge of what was found."""

from cornac_mle.partial.block import Block, Plan, map_block
from cornac_mle.partial.engines import Submits, in_order
from cornac_mle.partial.sums import Partial, merge

__all__ = ["Block", "Partial", "Plan", "Submits", "in_order", "map_block", "merge"]
