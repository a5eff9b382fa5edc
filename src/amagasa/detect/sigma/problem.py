"""What can be wrong with a Sigma document, raised inside this alcove alone; outside it is a `RuleFault`."""

INVALID = "AMG-RULE-003"
CANNOT_RUN = "AMG-RULE-011"
# A placeholder that nobody gave values: the site has to.
NO_VALUES = "AMG-RULE-014"


class SigmaProblemError(Exception):
    """No valid Sigma (`INVALID`), or Sigma that asks for what cannot be had (`CANNOT_RUN`, `NO_VALUES`).

    The message is one plain sentence without a full stop; text from the document in it went through `show`.
    """

    def __init__(self, message: str, *, code: str = INVALID) -> None:
        super().__init__(message)
        self.code = code

    def within(self, place: str) -> "SigmaProblemError":
        """The same, with the place in the document in front."""
        return SigmaProblemError(f"{place}: {self}", code=self.code)
