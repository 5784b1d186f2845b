"""Figures that say how clips are."""
