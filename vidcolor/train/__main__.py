"""`python -m vidcolor.train`: the same as `vidcolor train`."""

import argparse
import sys

from streams.errors import FilmError
from vidcolor.train.options import add_options, train


def main() -> int:
    """Train; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m vidcolor.train", description="Train the colorizer.")
    add_options(parser)
    try:
        weights = train(parser.parse_args(), tell=lambda text: print(text, file=sys.stderr, flush=True))  # noqa: T201
        sys.stdout.write(f"{weights}\n")
    except FilmError as error:
        sys.stderr.write(f"vidcolor: error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
