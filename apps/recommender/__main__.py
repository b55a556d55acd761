"""`python -m apps.recommender VERB`."""

import sys

from apps.recommender.app import APP
from tfarch import cli


def main() -> int:
    """The command line; also the entry point `tfarch-recommender`."""
    return cli.main(APP)


if __name__ == "__main__":
    sys.exit(main())
