"""Sampling: from scores and latent points to sizes and item sets, and how probable those are."""
