"""The command line of tests that send random cases to a server that runs already."""

import argparse
import random


def of_rounds(description, rounds):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--seed", type=int, default=random.randrange(10 ** 9))
    parser.add_argument("--rounds", type=int, default=rounds)
    return parser.parse_args()
