"""What can be wrong with a Sigma document, raised inside this alcove alone; outside it is a `RuleFault`."""

INVALID = "AMG-RULE-003"
CANNOT_RUN = "AMG-RULE-011"


class SigmaProblemError(Exception):
    """A document that is no valid Sigma (`INVALID`), or one that is and asks for what cannot be had (`CANNOT_RUN`).

    The message is one plain sentence without a full stop; text from the document in it went through `show`.
    """

    def __init__(self, message: str, *, code: str = INVALID) -> None:
        super().__init__(message)
        self.code = code

    def within(self, place: str) -> "SigmaProblemError":
        """The same, with the place in the document in front."""
        return SigmaProblemError(f"{place}: {self}", code=self.code)
