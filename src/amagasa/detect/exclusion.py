"""What a site does not want to hear of, kept outside the rules: matches that its exclusions name are counted, not told.

An exclusion names rules (by identifier or name, title, tag, path: all that it gives must fit) and may add conditions on
the record, in Sigma's own detection language. It has a reason and a last day. Nothing is switched off by it: the rule
runs, and what is left out is known.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.detect.engine.evaluate import evaluate
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import Plan, plan_of
from amagasa.detect.report import Detection, Excluded, MatchReport
from amagasa.detect.sigma.detection import question_of
from amagasa.detect.sigma.problem import SigmaProblemError
from amagasa.detect.sigma.rule import Rule
from amagasa.detect.sigma.text import Placeholders
from amagasa.event.record import EventBatch, LogSource, Route
from amagasa.vocab.severity import Level
from amagasa.vocab.text import show

# Plans whose rules were sorted by exclusions; a node has a handful, and makes new ones as its rules change.
_MAX_PLANS: Final = 64


class Exclusion(Struct, frozen=True, kw_only=True):
    """One exclusion. What is "" is not asked; title, tag and path are patterns with `*` and `?`, in any letter case.

    `expires_on` is the last day (UTC) on which it counts, None where it was said to be for ever. `condition` is a rule
    of no log source whose match excludes; None: whatever the rule finds.
    """

    place: str
    reason: str
    expires_on: date | None
    rule: str = ""
    title: str = ""
    tag: str = ""
    path: str = ""
    condition: Rule | None = None

    def fits(self, rule: Rule) -> bool:
        """Whether it is for this rule."""
        return (
            (not self.rule or self.rule.lower() in {rule.id.lower(), *(one.lower() for one in rule.references)})
            and (not self.title or _is_like(self.title, rule.title))
            and (not self.tag or any(_is_like(self.tag, tag) for tag in rule.tags))
            and (not self.path or _is_like(self.path, rule.path))
        )

    def counts_on(self, day: date) -> bool:
        """Whether it is in force on this day."""
        return self.expires_on is None or day <= self.expires_on


def exclusion_of(given: Mapping[str, Any], place: str, placeholders: Placeholders) -> Exclusion:
    """An entry as it was written, its keys known: `rule`, `title`, `tag`, `path`, `reason`, `expires`, `detection`.

    Raises SigmaProblemError with what is wrong with it.
    """
    texts = {key: given.get(key, "") for key in ("rule", "title", "tag", "path", "reason")}
    for key, value in texts.items():
        if not isinstance(value, str) or (key in given and not value.strip()):
            message = f"{key} must be text"
            raise SigmaProblemError(message)
    if not texts["reason"]:
        message = "it has no reason"
        raise SigmaProblemError(message)
    if not any(texts[key] for key in ("rule", "title", "tag", "path")):
        message = "it names no rule: give rule, title, tag or path"
        raise SigmaProblemError(message)
    return Exclusion(
        place=place,
        expires_on=_last_day(given.get("expires")),
        condition=_condition(given["detection"], place, placeholders) if "detection" in given else None,
        **texts,
    )


def excluded_outright(correlations: Sequence[Rule], exclusions: Sequence[Exclusion], day: date) -> set[str]:
    """Ids of the correlations that exclusions without conditions are for: what they see is of no one record."""
    return {
        rule.id
        for rule in correlations
        for one in exclusions
        if one.condition is None and one.counts_on(day) and one.fits(rule)
    }


class Exclusions:
    """Exclusions ready to use. For one thread."""

    def __init__(self, exclusions: Sequence[Exclusion] = ()) -> None:
        self.exclusions = tuple(exclusions)
        conditions = [
            replace(one.condition, id=str(number))
            for number, one in enumerate(self.exclusions)
            if one.condition is not None
        ]
        self._plan = plan_of(conditions)
        self._memo = Memo(self._plan)
        self._fitting: dict[str, dict[str, tuple[int, ...]]] = {}

    def wanted(self, route: Route) -> tuple[str, ...]:
        """The fields at which their conditions look in events of this route."""
        return self._plan.wanted(route) if self.exclusions else ()

    def spare(self, report: MatchReport, plan: Plan, batch: EventBatch, *, now: datetime) -> MatchReport:
        """The report of `plan` on the batch without what is excluded, which it counts instead."""
        if not self.exclusions or not report.detections:
            return report
        fitting = self._fitting_of(plan)
        suspected = [one for one in report.detections if fitting.get(one.rule_id or "")]
        if not suspected:
            return report
        holding = self._holding(batch, {one.record for one in suspected})
        kept: list[Detection] = []
        excluded: dict[tuple[int, str], int] = {}
        for one in report.detections:
            by = self._excluding(one, fitting, holding, now.date())
            if by is None:
                kept.append(one)
            else:
                key = (by, one.rule_id or "")
                excluded[key] = excluded.get(key, 0) + 1
        counted = tuple(Excluded(exclusion=by, rule_id=rule_id, n=n) for (by, rule_id), n in sorted(excluded.items()))
        return replace(report, detections=tuple(kept), excluded=counted)

    def _excluding(
        self, one: Detection, fitting: Mapping[str, Sequence[int]], holding: set[tuple[int, int]], day: date
    ) -> int | None:
        for number in fitting.get(one.rule_id or "", ()):
            exclusion = self.exclusions[number]
            holds = exclusion.condition is None or (number, one.record) in holding
            if holds and exclusion.counts_on(day):
                return number
        return None

    def _holding(self, batch: EventBatch, records: set[int]) -> set[tuple[int, int]]:
        """(exclusion, record) where the condition of the one holds for the other."""
        if not self._plan.rules:
            return set()
        places = [place for place, record in enumerate(batch.records) if record in records]
        some = replace(
            batch,
            rows=[batch.rows[place] for place in places],
            lines=[batch.lines[place] for place in places],
            records=[batch.records[place] for place in places],
        )
        found = evaluate(some, self._plan, self._memo)
        return {(int(one.rule_id or ""), one.record) for one in found.detections}

    def _fitting_of(self, plan: Plan) -> dict[str, tuple[int, ...]]:
        """For the rules of a plan that some exclusion fits, which do."""
        found = self._fitting.get(plan.digest)
        if found is None:
            found = {}
            for rule in plan.rules:
                numbers = tuple(number for number, one in enumerate(self.exclusions) if one.fits(rule))
                if numbers:
                    found[rule.id] = tuple(sorted({*found.get(rule.id, ()), *numbers}))
            if len(self._fitting) >= _MAX_PLANS:
                self._fitting.clear()
            self._fitting[plan.digest] = found
        return found


def _is_like(pattern: str, text: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower().replace("[", "[[]"))


def _last_day(given: Any) -> date | None:
    if isinstance(given, date) and not isinstance(given, datetime):
        return given
    if given == "never":
        return None
    message = 'expires must be a date (expires = 2026-12-31), or "never"'
    raise SigmaProblemError(message)


def _condition(given: Any, place: str, placeholders: Placeholders) -> Rule:
    """The detection as a rule of its own. With one selection its condition may be left out."""
    if isinstance(given, Mapping) and "condition" not in given and len(given) == 1:
        given = {**given, "condition": next(iter(given))}
    question = question_of(given, placeholders)
    return Rule(
        id="",
        title=show(place),
        level=Level.INFORMATIONAL,
        logsource=LogSource(),
        atoms=question.atoms,
        condition=question.condition,
    )
