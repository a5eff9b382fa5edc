"""What is too much for memory, put on disk for the length of a run."""
