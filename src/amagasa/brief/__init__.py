"""What people read, as document values. Not furnished yet: see docs/architecture.md."""
