"""Messages that docs/troubleshooting.md quotes are those of the code, word by word but for what varies in them."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
OF_OTHERS = {"FileNotFoundError", "unusable"}
"""Quoted, and words of Snakemake or of a table."""
VARIES = re.compile(r"\.\.\.|'[^']*'|\S+\.yaml|\bN\b|\bresults\b|\(process|, on ")


def quoted() -> list[str]:
    """The messages in the first column of the tables of messages."""
    tables = PAGE.split("## Results")[0]
    rows = re.findall(r"^\| (.*?) \| ", tables, re.MULTILINE)
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row) if text not in OF_OTHERS]


@cache
def said() -> str:
    """All texts of the code, with a line for each; what varies in one is a space."""
    texts = []
    for path in (ROOT / "neds").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts.append(
                    "".join(
                        str(getattr(part, "value", "")) if isinstance(part, ast.Constant) else " "
                        for part in node.values
                    )
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    texts += [re.sub(r'"\s*f?"', "", path.read_text(encoding="utf-8")) for path in (ROOT / "rules").glob("*.smk")]
    return "\n".join(re.sub(r"[ \n]+", " ", text) for text in texts)


def test_the_page_quotes_messages():
    assert len(quoted()) > 10


@pytest.mark.parametrize("message", quoted())
def test_quoted_message_is_said_by_the_code(message):
    fragments = [part.strip(" ,:;()") for part in VARIES.split(message)]
    for fragment in filter(None, fragments):
        assert fragment in said(), fragment
