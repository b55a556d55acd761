"""`python -m tfarch.compression VERB`."""

import sys

from tfarch.cli.compression import main

if __name__ == "__main__":
    sys.exit(main())
