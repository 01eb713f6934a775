"""`python -m trainjobs.controller`."""

import sys

from trainjobs.controller.main import main

sys.exit(main())
