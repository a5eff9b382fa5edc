"""For all tests: no clock decides over them, hypothesis' deadline and its patience with slow draws included."""

from hypothesis import HealthCheck, settings

settings.register_profile("amagasa", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("amagasa")
