import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import UserError
from model.tokens import BLANK, END, TokenOptions, detokenize, tokenize


def test_english_characters_keep_their_blanks():
    assert tokenize("Hi you.  Go!", unit="characters") == [*"hi", BLANK, *"you.", END, *"go!", END]


def test_chinese_is_segmented_by_characters_and_other_words_stay_whole():
    assert tokenize("我用 Python3 写。你呢?", language="chinese") == [*"我用", "python3", *"写。", END, *"你呢?", END]


def test_chinese_stop_words_are_left_out():
    assert tokenize("我的书和你的书。", language="chinese", stop_words=True) == [*"书书。", END]


def test_chinese_characters_part_every_word():
    assert tokenize("用AI。", language="chinese", unit="characters") == [*"用ai。", END]


def test_quotation_marks_stay_with_the_sentence_that_they_close():
    assert tokenize("他说:“好!”走了。", language="chinese") == [*"他说:“好!”", END, *"走了。", END]


@given(st.text(max_size=60), st.sampled_from(["english", "chinese"]), st.sampled_from(["words", "characters"]))
def test_no_token_holds_white_space_and_every_sentence_ends(text: str, language: str, unit: str):
    tokens = tokenize(text, language=language, unit=unit)
    assert all(token == END or (token and not any(c.isspace() for c in token)) for token in tokens)
    assert not tokens or tokens[-1] == END


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("the cat sat.", {"unit": "characters"}),
        ("我用 ai。", {"language": "chinese", "unit": "characters"}),
        ("我用python3写hello world你呢?", {"language": "chinese"}),
        ("the cat .", {}),
    ],
)
def test_tokens_read_as_the_text_that_they_were(text: str, options: TokenOptions):
    assert detokenize(tokenize(text, **options), options) == text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"language": "latin"}, "no language 'latin'"),
        ({"unit": "bytes"}, "no unit 'bytes'"),
        ({"unit": "characters", "stems": True}, "Characters have no stop words"),
        ({"language": "chinese", "stems": True}, "Chinese words have no stems"),
    ],
)
def test_senseless_options_are_one_sentence(options: dict[str, object], said: str):
    with pytest.raises(UserError, match=said):
        tokenize("text", **options)
