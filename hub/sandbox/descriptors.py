"""What order, keeper and starter agree on: descriptor numbers that bubblewrap and the init are started with, and a word."""

SECCOMP = 10
"""bubblewrap reads the filter program here."""
ARGUMENTS = 11
"""bubblewrap reads its own arguments here: paths of homes are nobody's business in `ps`."""
INFO = 12
"""bubblewrap writes the sandbox's pid here."""
BLOCK = 13
"""bubblewrap lets the sandbox go on once a byte arrives here, after it joined its cgroups."""
CONTROL = 14
"""The init's end of its connection to the keeper."""
ERRAND = 15
"""The init reads here what to run, with the environment: secrets never lie in argv."""
FIRST_TEXT = 20
"""Texts of files made inside, one descriptor each, from here on."""
MOVED_FROM = 200
"""Where the keeper keeps its own ends, so that handing out the numbers above overwrites none of them."""
KEPT = b"kept\n"
"""The starter's last word to the keeper, once it will find the sandbox again; without it the keeper ends the sandbox."""
