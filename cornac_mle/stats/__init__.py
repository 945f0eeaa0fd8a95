"""Statistics: p-values, certified bounds, intervals and tests that hold for any score."""
