"""Remedies: models whose users are mended, by training users alone."""
