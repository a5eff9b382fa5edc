"""Two nodes on loopback and a rehearsal."""
