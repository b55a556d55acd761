"""`python -m apps.customer_service VERB`."""

import sys

from apps.customer_service.app import APP
from tfarch import cli


def main() -> int:
    """The command line; also the entry point `tfarch-customer-service`."""
    return cli.main(APP)


if __name__ == "__main__":
    sys.exit(main())
