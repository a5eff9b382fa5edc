"""The ally at the other end of the line: TAXII 2.1 client over mutual TLS."""
