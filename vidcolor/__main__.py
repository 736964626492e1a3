"""`python -m vidcolor`: the same door as the command."""

from vidcolor.cli import entry

if __name__ == "__main__":
    entry()
