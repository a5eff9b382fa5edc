from amagasa.app.unkept import Unkept


def test_unkept_shows_a_batch_that_waits_before_what_the_store_says() -> None:
    unkept = Unkept()
    assert unkept.batch_waits("web", "the disk of the store is full [AMG-STORE-FULL]")
    assert not unkept.batch_waits("web", "the disk of the store is full [AMG-STORE-FULL]")
    told = "what was read is tried again: the disk of the store is full [AMG-STORE-FULL]; it was cut [X]"
    assert unkept.fault_of("web", "it was cut [X]") == told
    assert unkept.fault_of("core", "") == ""
    assert unkept.batch_kept("web")
    assert not unkept.batch_kept("web")
    assert unkept.fault_of("web", "it was cut [X]") == "it was cut [X]"


def test_unkept_state_takes_the_place_of_the_kept_one_until_it_is_kept() -> None:
    unkept = Unkept()
    unkept.state_waits("core", "senders wait")
    unkept.state_waits("core", "")
    assert unkept.fault_of("core", "an older fault") == ""
    assert unkept.states() == (("core", ""),)
    unkept.state_kept("core")
    assert unkept.states() == ()


def test_unkept_problem_of_an_attacker_is_escaped_and_cut() -> None:
    unkept = Unkept()
    unkept.batch_waits("web", "\x1b[2J" + "x" * 10_000)
    told = unkept.fault_of("web", "")
    assert "\x1b" not in told
    assert len(told) < 400
