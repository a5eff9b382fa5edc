"""The door for allies: TAXII 2.1 over mutual TLS, and the lines to them."""
