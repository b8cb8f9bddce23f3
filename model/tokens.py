"""Text to tokens: sentences, words or characters, stop words, stems; English and Chinese."""

import re
from collections.abc import Iterable
from typing import TypedDict

from model.errors import UserError

#: Stands in a stream of tokens where a sentence ends. No token contains white space.
END = "\n"

#: Stands for white space where characters are tokens.
BLANK = "␣"


class TokenOptions(TypedDict, total=False):
    """The keywords of `tokenize`: what decides the tokens, so what a checkpoint must remember."""

    language: str
    unit: str
    stop_words: bool
    stems: bool


LANGUAGES = ("english", "chinese")
UNITS = ("words", "characters")

#: A Chinese sentence ends with one of these (the full-width forms among them), and with the quotation marks and
#: brackets that close after it.
_STOPS = "\u3002!?\uff01\uff1f\u2026"
_CLOSING = "\u201d\u2019\u300d\u300f\u300b\uff09)"
CHINESE_SENTENCE = re.compile(rf"[^{_STOPS}\n]+[{_STOPS}]*[{_CLOSING}]*|[{_STOPS}]+")

#: Chinese writes words without blanks: each character is a token, a run of other letters or digits one word.
CHINESE_TOKEN = re.compile(r"[A-Za-z0-9]+|\S")

#: A blank that Chinese has not: one that does not part two runs of letters or digits.
CHINESE_BLANK = re.compile(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])")


def tokenize(
    text: str, *, language: str = "english", unit: str = "words", stop_words: bool = False, stems: bool = False
) -> list[str]:
    """Lower-case tokens of `text`, with `END` after each sentence.

    English sentences by Punkt with its default parameters and words by the Treebank rules of nltk, neither of which
    needs downloaded data. Chinese is segmented by characters. With `characters` as unit, each character is a token in
    either language, and white space is `BLANK`. `stop_words` leaves out the words of the stop-words package, `stems`
    replaces each English word by its Snowball stem. Raises `UserError` for an unknown language or unit, for stop words
    or stems among characters, and for stems in Chinese, which has none.
    """
    _check(language, unit, stop_words, stems)
    dropped = _stop_words(language) if stop_words else frozenset[str]()
    stream: list[str] = []
    for tokens in _sentences(text, language, unit):
        kept = [token for token in tokens if token not in dropped]
        if kept:
            stream.extend(kept)
            stream.append(END)
    return _stem(stream) if stems else stream


def detokenize(tokens: Iterable[str], options: TokenOptions) -> str:
    """A line of text from `tokens` of a text that was split with `options`; the ends of sentences leave no trace.

    Words stand apart, punctuation too; characters and Chinese as they are written.
    """
    kept = [token for token in tokens if token != END]
    if options.get("unit") == "characters":
        return "".join(kept).replace(BLANK, " ")
    line = " ".join(kept)
    return CHINESE_BLANK.sub("", line) if options.get("language") == "chinese" else line


def _check(language: str, unit: str, stop_words: bool, stems: bool) -> None:
    for name, value, choices in (("language", language, LANGUAGES), ("unit", unit, UNITS)):
        if value not in choices:
            raise UserError(f"There is no {name} '{value}'.", f"Choose one of: {', '.join(choices)}.")
    if unit == "characters" and (stop_words or stems):
        raise UserError("Characters have no stop words and no stems.", "Take words as unit, or leave both out.")
    if language == "chinese" and stems:
        raise UserError("Chinese words have no stems.", "Leave out the stems.")


def _sentences(text: str, language: str, unit: str) -> Iterable[list[str]]:
    """Tokens of each sentence."""
    if language == "chinese":
        sentences = [found.group().strip() for found in CHINESE_SENTENCE.finditer(text)]
    else:
        from nltk.tokenize.punkt import PunktSentenceTokenizer  # over 1 s, hence only where a text is new

        sentences = PunktSentenceTokenizer().tokenize(text)
    if unit == "characters":
        return [list(BLANK.join(sentence.lower().split())) for sentence in sentences]
    if language == "chinese":
        return [CHINESE_TOKEN.findall(sentence.lower()) for sentence in sentences]
    from nltk.tokenize import NLTKWordTokenizer

    words = NLTKWordTokenizer()
    return [words.tokenize(sentence.lower()) for sentence in sentences]


def _stop_words(language: str) -> frozenset[str]:
    from stop_words import get_stop_words

    return frozenset(get_stop_words(language))


def _stem(stream: list[str]) -> list[str]:
    from nltk.stem.snowball import EnglishStemmer

    stemmer = EnglishStemmer()
    stems = {word: stemmer.stem(word) if word != END else END for word in set(stream)}
    return [stems[word] for word in stream]
