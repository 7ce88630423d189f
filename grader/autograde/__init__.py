"""From a bundle to points: rebuild the notebook, run it contained, read the points outside."""
