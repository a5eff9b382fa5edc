"""For all tests: no clock decides over them, hypothesis' deadline included."""

from hypothesis import settings

settings.register_profile("amagasa", deadline=None)
settings.load_profile("amagasa")
