"""The command line: one module a command; main.py loads only that of the command which is called."""
