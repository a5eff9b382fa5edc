"""People, shifts, alert budget, hand-over. Not furnished yet: see docs/architecture.md."""
