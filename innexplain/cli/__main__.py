"""`python -m innexplain.cli` is the command `innexplain`."""

import sys

from innexplain.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
