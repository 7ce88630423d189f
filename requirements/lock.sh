#!/bin/sh
# Renews both locks. Needs `uv`. The development lock is constrained by the centre's, so that tests try what is shipped.
set -eu
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-package practicum --no-header "$@"; }
compile pyproject.toml requirements/launcher.in --extra local -o requirements/centre.lock
compile pyproject.toml requirements/launcher.in --extra local --extra dev -c requirements/centre.lock -o requirements/dev.lock
