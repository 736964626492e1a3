"""`python -m demo`: the same as `vidcolor demo`."""

import sys

if __name__ == "__main__":
    from vidcolor.cli import entry

    sys.argv.insert(1, "demo")
    entry()
