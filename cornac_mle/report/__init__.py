"""Showing a report: terminal tables and run folders."""
