"""Diagnostics: tables that name users, preferences and pairs."""
