"""Utility: whether synthetic users lead to the same choices as real ones."""

from cornac_mle.utility.ranking_agreement import RankingAgreement

__all__ = ["RankingAgreement"]
