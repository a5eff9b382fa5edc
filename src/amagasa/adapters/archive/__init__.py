"""A node in one file: written while it runs, and read as if somebody hostile had written it."""
