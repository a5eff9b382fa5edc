"""A figure and how sure it is."""

from msgspec import Struct

from amagasa.mission.model import FULL


class Span(Struct, frozen=True, kw_only=True, order=True):
    """Operability at worst, as it most likely is, and at best: worst <= likely <= best, 0 to 100."""

    worst: float
    likely: float
    best: float

    def under(self, other: "Span") -> "Span":
        """The lower of both, each end for itself."""
        return Span(
            worst=min(self.worst, other.worst), likely=min(self.likely, other.likely), best=min(self.best, other.best)
        )

    def minus(self, other: "Span") -> "Span":
        """How far `other` stands below this; as a loss, so its `worst` is the largest figure."""
        return Span(
            worst=round(self.worst - other.worst, 6),
            likely=round(self.likely - other.likely, 6),
            best=round(self.best - other.best, 6),
        )


def sure(value: float) -> Span:
    """A figure without doubt."""
    return Span(worst=value, likely=value, best=value)


HEALTHY = sure(FULL)
