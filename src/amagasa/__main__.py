"""`python -m amagasa`."""

from amagasa.entry.cli.main import main

if __name__ == "__main__":
    main()
