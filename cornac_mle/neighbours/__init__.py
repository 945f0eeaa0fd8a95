"""Neighbours: similarity of item sets and of points, and balls around them."""
