"""`python -m vidcolor.evaluate`: measures a network on pictures and clips."""

from vidcolor.evaluate.command import main

if __name__ == "__main__":
    raise SystemExit(main())
