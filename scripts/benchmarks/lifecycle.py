"""The way of a model after its sweep.

scripts/bench lifecycle [--only NAME ...]
"""

from __future__ import annotations

from lifecycle_monitoring import monitoring
from lifecycle_serving import serving
from rows import main

if __name__ == "__main__":
    main(__doc__, __file__, {"monitoring": monitoring, "serving": serving}, {})
