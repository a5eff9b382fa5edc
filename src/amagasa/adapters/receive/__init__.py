"""Doors for what cannot be read again: syslog over UDP, TCP and TLS, and records pushed over HTTP."""
