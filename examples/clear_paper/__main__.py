"""`python examples/clear_paper mnist --data mnist.npz`: see experiments.py, or --help."""

import sys

from experiments import main

if __name__ == "__main__":
    sys.exit(main())
