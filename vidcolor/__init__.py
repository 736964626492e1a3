"""Black-and-white film in colour."""

__version__ = "0.1.0"
