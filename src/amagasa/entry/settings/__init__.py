"""node.toml: declared once, read with plain messages, written with comments."""
