"""python -m vipmgr"""

import sys

from vipmgr.cli.main import main

sys.exit(main())
