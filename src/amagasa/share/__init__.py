"""The agreement, and what it lets out and in: release, redact, admit."""
