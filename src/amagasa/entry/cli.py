"""The command line's front door: names every command and loads only the module of the one that is called."""


def main() -> None:
    """Entry point of `amagasa`."""
    raise SystemExit(0)
