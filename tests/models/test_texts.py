"""From texts to a pool of token ids: nothing is dropped or cut without being counted."""

import hashlib

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from compleak.models.data import DataError, normalization
from compleak.models.data.pool import read_pool, save_pool
from compleak.models.data.text_pool import build_text_pool
from compleak.models.data.texts import Texts
from compleak.models.data.tokenizers import BEGIN, TextTokenizer, train_bpe

WORDS = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "one": 4, "two": 5, "three": 6, "four": 7, "five": 8}


def words(shift=0):
    """A word a token, between [CLS] and [SEP], as BERT has it."""
    library = Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]"))  # noqa: S106
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return TextTokenizer("words", library, shift)


def build(texts, labels, length=6, prefix=None, tokenizer=None):
    return build_text_pool(Texts(texts, labels, "v1"), tokenizer or words(), length, "mine", "dir", prefix=prefix)


def test_ids_are_padded_on_the_right_and_long_texts_lose_their_end_but_not_the_last_special_token():
    pool = build(["one two", "one two three four five", "five"], [0, 1, 0])
    assert pool.inputs.dtype == np.int32
    assert sorted(pool.inputs.tolist()) == [[2, 4, 5, 3, 0, 0], [2, 4, 5, 6, 7, 3], [2, 8, 3, 0, 0, 0]]
    assert (pool.text.truncated, pool.text.tokens_cut) == (1 / 3, 1 / 8)


def test_empty_texts_are_dropped_and_counted():
    pool = build(["one", "", "  \n", "two"], [0, 0, 1, 1])
    assert len(pool.labels) == 2
    assert (pool.text.texts, pool.text.empty_dropped) == (4, 2)


def test_texts_that_differ_only_in_what_is_cut_off_are_one_example_and_none_where_labels_disagree():
    pool = build(["one two three four five", "one two three four one", "two", "three"], [0, 0, 1, 0])
    assert (len(pool.labels), pool.duplicates_dropped) == (3, 1)
    pool = build(["one two three four five", "one two three four one", "two", "three"], [0, 1, 1, 0])
    assert (len(pool.labels), pool.duplicates_dropped) == (2, 2)


def test_of_texts_with_one_prefix_one_is_kept_whatever_their_order():
    texts, labels = ["one two", "one three", "two one", "three", "three one"], [0, 0, 1, 1, 0]
    pools = [build(texts, labels, prefix=4), build(texts[::-1], labels[::-1], prefix=4)]
    assert pools[0].sha256 == pools[1].sha256
    kept = min(texts[:2], key=lambda text: hashlib.sha256(text.encode()).digest())
    expected = {tuple(WORDS[word] for word in text.split()) for text in (kept, "two one")}
    # Of "three" and "three one" neither is kept: their labels disagree.
    assert {tuple(row[1:3]) for row in pools[0].inputs.tolist()} == expected
    assert pools[0].text.prefix_dropped == 3


def test_the_order_is_that_of_the_ids_digests_and_not_of_the_source():
    texts, labels = ["one", "two", "three", "four", "one two", "five four"], [0, 1, 0, 1, 0, 1]
    pool, other = build(texts, labels), build(texts[::-1], labels[::-1])
    digests = [hashlib.sha256(row.astype("<i4").tobytes()).digest() for row in pool.inputs]
    assert digests == sorted(digests)
    assert pool.sha256 == other.sha256
    assert np.array_equal(pool.inputs, other.inputs)


def test_unknown_tokens_are_measured_and_another_script_is_refused():
    pool = build(["one two three six", "four five"], [0, 1])
    assert pool.text.tokens_unknown == pytest.approx(1 / 6)
    assert "16.67%" in pool.text.note
    with pytest.raises(DataError, match="100% of its tokens are not in the vocabulary of words"):
        build(["привет мир", "как дела"], [0, 1])


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (["one", "two"], [0, -1], "text 1 .* has the label -1"),
        (["one", "two"], [0], "2 texts but 1 labels"),
        ([], [], "no text in it"),
        (["", " "], [0, 1], "no text in it"),
        (["one", "two"], [1, 1], "at least two classes"),
    ],
)
def test_texts_that_no_classifier_can_use_are_refused(texts, labels, message):
    with pytest.raises(DataError, match=message):
        build(texts, labels)


def test_a_length_without_room_for_text_is_refused():
    with pytest.raises(DataError, match="give 3 or more"):
        build(["one", "two"], [0, 1], length=2)


def test_a_pool_is_read_back_with_what_was_done_to_its_texts(tmp_path):
    pool = build(["one two", "three six", "four"], [0, 1, 2])
    save_pool(pool, tmp_path / "pool.safetensors")
    again = read_pool(tmp_path / "pool.safetensors")
    assert np.array_equal(again.inputs, pool.inputs)
    assert (again.text, again.sha256, again.name) == (pool.text, pool.sha256, "mine")
    assert normalization(again).model_dump() == {"vocabulary": 9, "length": 6}


def test_where_id_0_is_a_word_all_ids_move_up():
    plain, moved = words().encode(["one two"], 5), words(shift=1).encode(["one two"], 5)
    assert plain.ids.tolist() == [[2, 4, 5, 3, 0]]
    assert moved.ids.tolist() == [[3, 5, 6, 4, 0]]
    assert words(shift=1).vocabulary == words().vocabulary + 1
    assert words(shift=1).sha256 != words().sha256


def test_a_byte_pair_encoding_writes_any_script_back_and_is_the_same_each_time():
    texts = ["a plant of the sea", "an animal of the sea", "the act of eating plants"] * 3
    library = train_bpe(texts, vocabulary=300)
    assert library.to_str() == train_bpe(texts, vocabulary=300).to_str()
    tokenizer = TextTokenizer("bpe", library)
    encoded = tokenizer.encode(["the sea", "привет 水"], 40)
    assert (encoded.ids[:, 0] == library.token_to_id(BEGIN)).all()
    assert encoded.unknown.sum() == 0
    assert [library.decode([i for i in row if i > 1]) for row in encoded.ids.tolist()] == ["the sea", "привет 水"]
