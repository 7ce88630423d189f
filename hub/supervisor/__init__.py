"""Starts, watches, adopts and ends the centre's own processes on one machine."""
