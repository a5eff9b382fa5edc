"""Missions, services, assets, dependencies -> impact: what an attack takes from what we are here to do."""
