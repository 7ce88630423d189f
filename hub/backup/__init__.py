"""All state of a centre in one file and back: `write.write_backup`, `restore.restore_backup`, and `clear.clear_state`.

The file is a gzipped tar of the state directory without what can be lost (run/, logs/, servers/): SQLite databases as
consistent snapshots, databases elsewhere as `pg_dump` archives, and last a manifest with the SHA-256 of every file.
It holds the centre's secrets and everybody's work: mode 0600.
"""
