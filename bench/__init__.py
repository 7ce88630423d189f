"""Measured claims, each one command: `practicum bench NAME` runs bench/NAME.py, ours and its peer in the same run.

A benchmark is a module with a function `run()` that gives a `bench.result.Result` or a list of them; one with options of its
own also has `add_options(parser: argparse.ArgumentParser)`, and then `run(options: argparse.Namespace)`.
"""
