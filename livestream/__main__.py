"""``python -m livestream``: the command line, also where its script is not on the PATH."""

from __future__ import annotations

from livestream.cli import main

if __name__ == "__main__":
    main(prog_name="livestream")
