"""Plausibility: how believable a profile is to judges who know reference users only."""
