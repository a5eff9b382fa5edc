"""Missions, services, assets, dependencies -> impact. Not furnished yet: see docs/architecture.md."""
