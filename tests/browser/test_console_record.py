"""The record with an ally, the receipts of what was taken back, and what was put aside, as a person sees them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace
from playwright.sync_api import expect

from amagasa.app.head_book import FoundFault, HeadBook, keep_head_book
from amagasa.app.pages import Page
from amagasa.app.ports import CrossingState, Direction
from amagasa.app.quarantine import CODE
from amagasa.app.receipt_ports import TakenBack, Way
from amagasa.share.ledger import Head, SignedHead
from tests.browser import seed
from tests.browser.conftest import Watched
from tests.browser.served import Served

HOSTILE = "<img src=x onerror=alert(1)> \u202eevil [AMG-HEAD-FORKED]"


def with_record(node: Served) -> None:
    now = datetime.now(UTC)
    agreement = seed.agreement()
    head = Head(agreement=agreement.id, party=seed.JAPAN.id, n_leaves=40, root="ab" * 32, at="2026-11-27T00:00:00Z")
    signed = SignedHead(head=head, signature="")
    book = HeadBook(
        ours=(signed,),
        theirs=(replace(signed, head=replace(head, n_leaves=12)),),
        faults=(FoundFault(at=now, code="AMG-HEAD-FORKED", why=HOSTILE),),
        exchanged_at=now,
    )
    with node.desktop.store.write() as tx:
        keep_head_book(tx, agreement.id, book)
        rows, _ = tx.crossings(Page(limit=50), direction=Direction.OUT, state=CrossingState.DELIVERED)
        for number, row in enumerate(rows[:2]):
            one = TakenBack(
                agreement=row.agreement,
                way=Way.AWAITED,
                object_id=row.object_id,
                version=row.version,
                cause=row.object_id,
                asked_at=now - timedelta(days=1),
                done_at=now if number else None,
            )
            tx.receipts.save(one)


def test_allies_page_says_how_far_the_record_is_countersigned_and_what_is_wrong(
    officer: Watched, node: Served, tmp_path: Path
) -> None:
    with_record(node)
    page = officer.open("allies")
    card = page.locator(".ally-card").first
    expect(card.locator(".record")).to_contain_text("40 of 0 leaves")
    expect(card).to_contain_text("Leaves of the ally's record that we countersigned")
    expect(card).to_contain_text("1 awaited, 1 of them overdue")
    expect(card.locator(".record-fault")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(card.locator(".record-fault")).not_to_contain_text("\u202e")
    expect(page.locator("img[src=x]")).to_have_count(0)
    page.get_by_role("button", name="日本語").click()
    expect(card).to_contain_text("待ち 1 件、うち期限超過 1 件")
    page.screenshot(path=tmp_path / "allies.png", full_page=True)


def test_crossings_page_says_which_receipt_is_overdue(officer: Watched, node: Served) -> None:
    with_record(node)
    page = officer.open("crossings")
    delivered = page.locator("details.crossing.delivered")
    expect(delivered.first).to_be_visible()
    for number in range(delivered.count()):
        delivered.nth(number).locator("summary").click()
    expect(page.locator(".receipt").filter(has_text="Overdue since")).to_have_count(1)
    expect(page.locator(".receipt").filter(has_text="Looked for no longer since")).to_have_count(1)


def test_what_was_put_aside_is_looked_with_again_by_a_click(officer: Watched, node: Served) -> None:
    with node.desktop.store.write() as tx:
        item = seed.content()[0]
        tx.save_content(replace(item, is_active=False, activated_at=None, fault=f"put aside: noise [{CODE}]"))
    page = officer.open("content")
    row = page.locator("details.content").filter(has_text="put aside: noise")
    row.locator("summary").click()
    row.locator("button.lift").click()
    expect(page.locator("details.content").filter(has_text="put aside: noise")).to_have_count(0)
    with node.desktop.store.read() as reading:
        (held,) = reading.content_items([item.id])
    assert (held.is_active, held.fault) == (True, "")
