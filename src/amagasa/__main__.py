"""`python -m amagasa`."""

from amagasa.entry.cli import main

if __name__ == "__main__":
    main()
