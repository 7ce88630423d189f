"""What `practicum test` runs: linters, types, import contracts, the wheel, the tests. Each says how it went on one line."""
