import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compleak.compressors.settings import Setting, SettingError, hidden_clusters, parse_setting

NAMES = [
    "float32",
    "finetuned",
    "pruning-magnitude-0.6",
    "pruning-global-0.95",
    "pruning-filter-l1-0.5",
    "pruning-filter-l2-0.5",
    "clustering-k4",
    "quantization-dynamic",
    "quantization-float16",
    "quantization-int8-static",
    "quantization-int8-qat",
    "quantization-int8-weights",
    "clustering-k16+quantization-int4-weights",
    "pruning-magnitude-0.8+quantization-int8-static",
    "pruning-magnitude-0.8+clustering-k16+quantization-int8-qat",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_canonical_name_is_read_back(name: str) -> None:
    assert parse_setting(name).name == name


def test_technique_names_every_step() -> None:
    assert parse_setting("float32").technique == "conversion"
    assert parse_setting("finetuned").technique == "finetuning"
    assert parse_setting(NAMES[-1]).technique == "pruning+clustering+quantization"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("prunning-magnitude-0.6", "Did you mean 'pruning-magnitude-0.6'"),
        ("pruning-magnitude-1.5", "Unknown compression step"),
        ("pruning-magnitude-0.0", "between 0 and 1"),
        ("clustering-k1", "2 to 256"),
        ("quantization-int8-static+pruning-magnitude-0.5", "in the order"),
        ("clustering-k4+clustering-k8", "at most once"),
        ("finetuned+clustering-k8", "Unknown compression step 'finetuned'"),
        ("", "Unknown compression step ''"),
    ],
)
def test_a_wrong_name_says_what_is_allowed(name: str, says: str) -> None:
    with pytest.raises(SettingError, match=says.replace("'", ".")):
        parse_setting(name)


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(SettingError):
        assert isinstance(parse_setting(text), Setting)


@pytest.mark.parametrize(
    ("most", "kind"),
    [(254, "dynamic"), (254, "int8-static"), (254, "int8-qat"), (254, "int8-weights"), (14, "int4-weights")],
)
def test_clusters_that_the_integers_would_hide_are_told(most, kind):
    assert hidden_clusters(parse_setting(f"clustering-k{most}+quantization-{kind}")) is None
    assert f"clustering-k{most + 1}" in hidden_clusters(parse_setting(f"clustering-k{most + 1}+quantization-{kind}"))
    assert hidden_clusters(parse_setting(f"quantization-{kind}")) is None
    assert hidden_clusters(parse_setting("clustering-k256+quantization-float16")) is None
