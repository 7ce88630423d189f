"""Who may do what, with which share of which device."""

__version__ = "0.1.0"
