"""`python -m apps.finance_sentiment VERB`."""

import sys

from apps.finance_sentiment.app import APP
from tfarch import cli


def main() -> int:
    """The command line; also the entry point `tfarch-finance-sentiment`."""
    return cli.main(APP)


if __name__ == "__main__":
    sys.exit(main())
