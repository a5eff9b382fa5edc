from amagasa.detect.engine.judge import MAX_ANSWERS, Judge, View
from tests.detect.cases import plan_for


def view_of(text: str) -> View:
    return View([("Image", text)], str)


def test_judge_under_a_flood_of_values_keeps_no_more_answers_than_it_may_and_stays_right() -> None:
    plan = plan_for({"s": {"Image|re": "x[0-9]+7$"}, "condition": "s"})
    judge = Judge(plan, {}, {})
    asks = judge.question(0)
    flood = [f"x{number}" for number in range(MAX_ANSWERS + 100)]
    assert [asks(view_of(text)) for text in flood] == [text.endswith("7") and len(text) > 2 for text in flood]
    assert len(judge._answers) <= MAX_ANSWERS
    assert [asks(view_of(text)) for text in ("x17", "x18", "x17" + " " * 300 + "x17")] == [True, False, True]
