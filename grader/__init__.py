"""From a released assignment to a released mark."""
