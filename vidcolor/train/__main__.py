"""`python -m vidcolor.train`: the same as `vidcolor train`."""

import argparse

from vidcolor.train.options import add_options, train

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m vidcolor.train", description="Train the colorizer.")
    add_options(parser)
    train(parser.parse_args())
