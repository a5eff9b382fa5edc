"""The linter's process: rule files in, reviews of their documents out. Frames as those of the compiler."""

from amagasa.detect.lint.review import review
from amagasa.entry.node.compiler import answer_texts


def main() -> None:
    """Answer requests until stdin ends."""
    answer_texts(review)


if __name__ == "__main__":
    main()
