"""`python -m experiments` is `recurrent`."""

import sys

from experiments.cli import main

sys.exit(main())
