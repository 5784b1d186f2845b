"""Footage: from a studio's folder to clips. Scan, select, prepare, sample, augment."""
