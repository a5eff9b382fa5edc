"""The doors: command line, console API, TAXII for allies, workers. wiring.py alone knows the adapters."""
