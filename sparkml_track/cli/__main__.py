"""As ``python -m sparkml_track.cli``, which needs no folder of programs on the path."""

from __future__ import annotations

from sparkml_track.cli.app import main

if __name__ == "__main__":
    main()
