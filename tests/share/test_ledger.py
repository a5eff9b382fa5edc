"""The record: roots and proofs as RFC 9162 defines them, and every way of rewriting it found."""

import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.share.ledger import (
    FORMAT,
    Act,
    Fits,
    Head,
    Header,
    Leaf,
    Misfit,
    SignedHead,
    counter_bytes,
    export_lines,
    head_bytes,
    leaf_bytes,
    to_text,
    verify_lines,
)
from amagasa.share.merkle import (
    EMPTY,
    Frontier,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    root_of,
)
from tests.share.samples import JAPAN_ID, STATES_ID

JAPAN = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STATES = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
# The eight leaves with which the certificate-transparency projects test, and the roots of their first n.
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
HASHES = st.lists(st.integers(0, 2**32).map(lambda n: hashlib.sha256(str(n).encode()).digest()), max_size=40)


def key_of(private: Ed25519PrivateKey) -> str:
    return to_text(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


KEYS = {JAPAN_ID: key_of(JAPAN), STATES_ID: key_of(STATES)}


_TEXTS = [name for name in Leaf.__struct_fields__ if name not in {"n", "act"}]


@given(st.integers(0, 2**53 - 1), st.sampled_from(Act), st.lists(st.text(), min_size=len(_TEXTS), max_size=len(_TEXTS)))
@example(1, Act.OFFER, ["".join(map(chr, range(300))), '"\\/', "雨傘 \U0001f302", *[""] * (len(_TEXTS) - 3)])
def test_leaf_in_sorted_json_is_canonical_json(n: int, act: Act, texts: list[str]) -> None:
    leaf = Leaf(n=n, act=act, **dict(zip(_TEXTS, texts, strict=True)))
    assert leaf_bytes(leaf) == rfc8785.dumps(msgspec.to_builtins(leaf))


@pytest.mark.parametrize("n", range(9))
def test_roots_are_those_that_everybody_knows(n: int) -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES[:n]]
    tree = Frontier()
    for one in hashes:
        tree = tree.append(one)
    assert tree.root.hex() == root_of(hashes).hex() == ROOTS[n]


@settings(deadline=None)
@given(leaves=HASHES)
def test_frontier_has_the_root_of_the_definition(leaves: list[bytes]) -> None:
    tree = Frontier()
    for one in leaves:
        tree = tree.append(one)
    assert (tree.n, tree.root) == (len(leaves), root_of(leaves))
    assert len(tree.peaks) == len(leaves).bit_count()
    assert Frontier().root == EMPTY


@settings(deadline=None)
@given(leaves=HASHES, place=st.integers(0, 39), other=st.integers(0, 39))
def test_inclusion_is_proved_of_what_is_there_and_of_nothing_else(leaves: list[bytes], place: int, other: int) -> None:
    if place >= len(leaves):
        return
    proof, root, n = inclusion_proof(leaves, place), root_of(leaves), len(leaves)
    assert is_included(leaves[place], place, n, proof=proof, root=root)
    assert not is_included(leaf_hash(b"another"), place, n, proof=proof, root=root)
    if other < n and leaves[other] != leaves[place]:
        assert not is_included(leaves[place], other, n, proof=inclusion_proof(leaves, other), root=root)


@settings(deadline=None)
@given(leaves=HASHES, before=st.integers(1, 40))
def test_consistency_is_proved_of_a_beginning_and_of_nothing_else(leaves: list[bytes], before: int) -> None:
    if before > len(leaves):
        return
    proof, root, n = consistency_proof(leaves, before), root_of(leaves), len(leaves)
    assert is_consistent(before, root_of(leaves[:before]), n, root, proof=proof)
    rewritten = [leaf_hash(b"another"), *leaves[1:before]]
    assert not is_consistent(before, root_of(rewritten), n, root, proof=proof)


def made(n: int, *, why: Callable[[int], str] = lambda number: f"reason {number}") -> list[Leaf]:
    tree, leaves = Frontier(), []
    for number in range(n):
        leaf = Leaf(
            n=number, at="2026-11-23T12:00:00.000Z", act=Act.RELEASE, ally=STATES_ID, terms="a" * 64, object_id="x",
            object_type="indicator", version="1", clause="c", marking="amber", content="b" * 64, by="", why=why(number),
            before=tree.root.hex(),
        )  # fmt: skip
        leaves.append(leaf)
        tree = tree.append(leaf_hash(leaf_bytes(leaf)))
    return leaves


def head_over(leaves: list[Leaf], *, is_counter: bool = False) -> SignedHead:
    root = root_of([leaf_hash(leaf_bytes(leaf)) for leaf in leaves]).hex()
    head = Head(agreement="a", party=JAPAN_ID, n_leaves=len(leaves), root=root, at="2026-11-23T12:00:00.000Z")
    signed = SignedHead(head=head, signature=to_text(JAPAN.sign(head_bytes(head))))
    if not is_counter:
        return signed
    return replace(signed, ally=STATES_ID, countersignature=to_text(STATES.sign(counter_bytes(signed, STATES_ID))))


def lines(leaves: list[Leaf], *heads: SignedHead) -> list[bytes]:
    header = Header(format=FORMAT, agreement="a", party=JAPAN_ID, keys=KEYS)
    return list(export_lines(header, heads or [head_over(leaves)], leaves))


def test_whole_record_fits_and_says_how_much_is_countersigned() -> None:
    leaves = made(20)
    found = verify_lines(lines(leaves, head_over(leaves[:12], is_counter=True), head_over(leaves)), keys=KEYS)
    assert found == Fits(n_leaves=20, root=head_over(leaves).head.root, countersigned=12)


def misfit(told: list[bytes], **more: Any) -> int | None:
    found = verify_lines(told, keys=KEYS, **more)
    assert isinstance(found, Misfit), found
    assert found.why
    return found.leaf


def test_altered_leaf_is_found_by_its_number() -> None:
    told = lines(made(20))
    told[2 + 7] = told[2 + 7].replace(b"reason 7", b"reason X")
    assert misfit(told) == 7


def test_leaf_altered_with_its_hash_is_found_at_the_next() -> None:
    leaves = made(20)
    leaves[7] = replace(leaves[7], why="rewritten")
    assert misfit(lines(leaves, head_over(made(20)))) == 8


@pytest.mark.parametrize(
    ("change", "leaf"),
    [
        (lambda told: told[:9] + told[10:], 7),
        (lambda told: [*told[:9], told[9], *told[9:]], 8),
        (lambda told: [*told[:9], told[10], told[9], *told[11:]], 7),
        (lambda told: told[:-3], 17),
        (lambda told: [*told[:9], b"no leaf\n", *told[10:]], 7),
        (lambda told: [*told[:9], b"x" * 100_000, *told[10:]], 7),
        (lambda told: [*told[:9], told[9].replace(b":", b": ", 1), *told[10:]], 7),
    ],
    ids=["dropped", "doubled", "exchanged", "truncated", "junk", "too long", "not canonical"],
)
def test_rewritten_lines_are_found(change: Callable[[list[bytes]], list[bytes]], leaf: int) -> None:
    assert misfit(change(lines(made(20)))) == leaf


def test_leaf_added_after_the_head_was_signed_is_found() -> None:
    assert misfit(lines(made(20), head_over(made(19)))) == 19


def test_whole_tree_built_anew_is_found_by_the_countersigned_head() -> None:
    before, after = made(20), made(20, why=lambda _: "nothing happened")
    held = head_over(before[:12], is_counter=True)
    assert isinstance(verify_lines(lines(after), keys=KEYS), Fits)
    assert misfit(lines(after), known=[held]) == 11
    assert misfit(lines(after, held, head_over(after))) == 11


def test_old_head_over_fewer_leaves_is_not_enough() -> None:
    leaves = made(20)
    assert misfit(lines(leaves, head_over(leaves[:12], is_counter=True))) == 12


@pytest.mark.parametrize("field", ["signature", "countersignature"])
def test_forged_signature_is_found(field: str) -> None:
    leaves = made(5)
    head = head_over(leaves, is_counter=True)
    forged = to_text(Ed25519PrivateKey.generate().sign(b"anything"))
    assert misfit(lines(leaves, replace(head, **{field: forged}))) is None


def test_countersignature_by_oneself_is_none() -> None:
    leaves = made(5)
    head = replace(head_over(leaves), ally=JAPAN_ID)
    head = replace(head, countersignature=to_text(JAPAN.sign(counter_bytes(head, JAPAN_ID))))
    assert misfit(lines(leaves, head)) is None


@settings(deadline=None, max_examples=200)
@given(told=st.lists(st.binary(max_size=60), max_size=5))
def test_junk_is_a_misfit_and_nothing_raises(told: list[bytes]) -> None:
    assert isinstance(verify_lines(told), Misfit)


def fifty_lines_of_another(told: list[bytes], keys: dict[str, str]) -> bool:
    """A verifier of our own words for the format: what docs/ledger.md says, and nothing of the program."""

    def canonical(value: Any) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def tree(hashes: list[bytes]) -> bytes:
        if len(hashes) == 1:
            return hashes[0]
        half = 1
        while half * 2 < len(hashes):
            half *= 2
        return hashlib.sha256(b"\x01" + tree(hashes[:half]) + tree(hashes[half:])).digest()

    documents = [json.loads(line) for line in told]
    header, heads = documents[0], [one for one in documents[1:] if "head" in one]
    leaves = [one for one in documents[1:] if "leaf" in one]
    hashes = [hashlib.sha256(b"\x00" + canonical(one["leaf"])).digest() for one in leaves]
    for one in heads:
        message = canonical({"format": header["format"], "head": one["head"]})
        key = Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(keys[one["head"]["party"]] + "="))
        key.verify(urlsafe_b64decode(one["signature"] + "=="), message)
        if tree(hashes[: one["head"]["n_leaves"]]).hex() != one["head"]["root"]:
            return False
    return bool(heads[-1]["head"]["n_leaves"] == len(leaves))


def test_another_program_verifies_the_same_file() -> None:
    leaves = made(13)
    assert fifty_lines_of_another(lines(leaves, head_over(leaves[:5], is_counter=True), head_over(leaves)), KEYS)
