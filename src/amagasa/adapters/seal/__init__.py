"""Keys, certificates, signatures and password hashes on disk."""
