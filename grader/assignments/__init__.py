"""Courses and their assignments: what exists, in which languages, and how a lesson reaches its learners."""
