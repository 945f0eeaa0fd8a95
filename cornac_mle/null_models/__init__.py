"""Null models: what users would hold if nothing but sizes and popularity counted."""
