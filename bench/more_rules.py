"""Many rules out of few: copies of a Sigma rule set whose words are others, for benches of growth.

    python bench/more_rules.py sigma-rules.tar.gz 10 MORE.tar.gz

The first copy is the set as it is. In each further one every letter of a value stands for another one, drawn anew for
each value; what is not a letter stays, so that copies look for texts as long, and with wildcards as many. Three things
stay as they are, since a set of so many rules that somebody wrote would not match more than its parts: filters (what
ordinary programs do would no longer be left out), regular expressions and networks (changed, many would be none), and
rules that name no text of four letters are not copied.
"""

import io
import random
import string
import sys
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

MIN_LETTERS: Final = 4


def documents(archive: Path) -> Iterator[tuple[str, Any]]:
    """Name and content of each rule file; those with several documents are left out."""
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.endswith(".yml") else None
            if file is not None:
                rules = list(yaml.load_all(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
                if len(rules) == 1 and isinstance(rules[0], dict) and "detection" in rules[0]:
                    yield member.name.replace("/", "_"), rules[0]


def letters(value: Any) -> Iterator[str]:
    """The letters of each text in it."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from letters(one)
    elif isinstance(value, str):
        yield "".join(letter for letter in value if letter.isalpha())


def other(value: Any, draw: random.Random) -> Any:
    """The value with other letters, upper case for upper case; numbers, lists and maps alike."""
    if isinstance(value, dict):
        return {
            key: one if "|re" in str(key) or "|cidr" in str(key) else other(one, draw) for key, one in value.items()
        }
    if isinstance(value, list):
        return [other(one, draw) for one in value]
    if not isinstance(value, str):
        return value
    return "".join(
        draw.choice(string.ascii_lowercase)
        if "a" <= letter <= "z"
        else draw.choice(string.ascii_uppercase)
        if "A" <= letter <= "Z"
        else letter
        for letter in value
    )


def copied(rule: dict[str, Any], draw: random.Random) -> dict[str, Any] | None:
    """A rule like this one that looks for other texts; None where each of its parts would match what it matched."""
    detection = {
        name: part if name in {"condition", "timeframe"} or name.startswith("filter") else other(part, draw)
        for name, part in rule["detection"].items()
    }
    changed = [name for name, part in rule["detection"].items() if detection[name] != part]
    if not changed or not any(len(text) >= MIN_LETTERS for name in changed for text in letters(detection[name])):
        return None
    return {
        **{key: value for key, value in rule.items() if key != "related"},
        "id": str(uuid.UUID(int=draw.getrandbits(128), version=4)),
        "detection": detection,
    }


def write_copies(archive: Path, times: int, target: Path) -> int:
    """Write the set `times` times into another archive, a file a rule; how many rules that is."""
    draw = random.Random(10)
    n_rules = 0
    with tarfile.open(target, "w:gz") as tar:
        for name, rule in documents(archive):
            for copy in range(times):
                made = rule if copy == 0 else copied(rule, draw)
                if made is None:
                    continue
                text = yaml.dump(made, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), allow_unicode=True)
                member = tarfile.TarInfo(f"{copy}_{name}")
                member.size = len(content := text.encode())
                tar.addfile(member, io.BytesIO(content))
                n_rules += 1
    return n_rules


if __name__ == "__main__":
    print(write_copies(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
