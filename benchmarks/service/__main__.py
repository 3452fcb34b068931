"""`python -m benchmarks.service`."""

from benchmarks.service.cli import main

if __name__ == "__main__":
    main()
