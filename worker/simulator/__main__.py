"""`rosreestr-simulator`, also as `python -m worker.simulator`: says which extra is missing where one is."""

from __future__ import annotations

import sys

_NEEDED = ("click", "starlette", "uvicorn", "h11")


def main() -> None:
    """Run the command."""
    try:
        from worker.simulator.cli import main as run
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in _NEEDED:
            raise
        sys.exit(f"rosreestr-simulator needs {exc.name}, which isn't installed: pip install 'rosq[simulator]'")
    run(prog_name="rosreestr-simulator")


if __name__ == "__main__":
    main()
