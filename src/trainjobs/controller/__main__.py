"""`python -m trainjobs.controller`."""

import sys

from trainjobs.controller.main import main
from trainjobs.printing import survive

survive()
sys.exit(main())
