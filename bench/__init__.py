"""Measured claims, each one command: `practicum bench NAME` runs bench/NAME.py, ours and its peer in the same run.

A benchmark is a module with a function `run() -> bench.result.Result`.
"""
