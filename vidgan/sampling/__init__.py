"""From seeds to clips."""
