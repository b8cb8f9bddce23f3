"""Where words come from: reads a corpus, and keeps its tokens for the next time."""

import contextlib
import hashlib
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Unpack

from model.errors import UserError
from model.tokens import END, TokenOptions, tokenize

#: Version of the cached file; a change of the rules here or in `model/tokens.py` must change it.
CACHE_FORMAT = 2

__all__ = ["END", "Corpus", "decoded", "read", "tokenize", "tokens"]

SUFFIXES = (".txt", ".md")


@dataclass(frozen=True)
class Corpus:
    """Raw text, and what it is: a name that tells nothing of the machine (no folder)."""

    text: str
    description: str

    @property
    def sha256(self) -> str:
        """Hash of the raw text: two runs over other texts are not comparable."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read(path: Path | None) -> Corpus:
    """The text at `path`: a UTF-8 file, or a folder of .txt and .md files (joined by path); None is the default corpus.

    The default is `pydoc_data.topics` of the running Python, real English that every CPython has. Raises `UserError`
    for what is missing, empty or not text.
    """
    if path is None:
        return _python_documentation()
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not files:
            raise UserError(f"The folder '{path}' holds no text.", f"Put {' or '.join(SUFFIXES)} files into it.")
    else:
        files = [path]
    text = "\n\n".join(_read_file(file) for file in files)
    if not text.strip():
        raise UserError(f"The corpus '{path}' is empty.", "Give a file with text in it.")
    return Corpus(text, path.name)


def _python_documentation() -> Corpus:
    from pydoc_data.topics import topics

    # its length differs between versions of Python, even between patch releases
    release = ".".join(str(part) for part in sys.version_info[:3])
    return Corpus("\n\n".join(topics[name] for name in sorted(topics)), f"pydoc_data.topics of Python {release}")


def _read_file(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"There is no corpus '{path}'.", "Give an existing UTF-8 file or a folder of them.") from error
    except OSError as error:
        raise UserError(f"The corpus '{path}' cannot be read: {error.strerror}.", "Check its permissions.") from error
    return decoded(raw, path)


def decoded(raw: bytes, path: Path) -> str:
    """The text that the bytes of `path` are. Raises `UserError` where they are no UTF-8."""
    if b"\0" in raw:
        raise UserError(f"The corpus '{path}' is binary.", "Give plain UTF-8 text.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"The corpus '{path}' is not UTF-8 (byte {error.start}).", f"Convert it: iconv -t UTF-8 '{path.name}'."
        ) from error


def tokens(corpus: Corpus, *, cache: Path | None, **options: Unpack[TokenOptions]) -> list[str]:
    """Tokens of `corpus` by the `options` of `model.tokens.tokenize`.

    They come from the folder `cache` where it holds them already; a damaged file is written anew.
    """
    if cache is None:
        return tokenize(corpus.text, **options)
    # whatever decides the tokens: the text, the options, and the versions of those who split it
    libraries = (sys.version, version("nltk"), version("stop-words"))
    identity = (CACHE_FORMAT, corpus.sha256, sorted(options.items()), libraries)
    key = hashlib.sha256(repr(identity).encode()).hexdigest()
    path = cache / f"tokens-{key[:32]}.txt"
    stream = _read_cached(path, key)
    if stream is None:
        stream = tokenize(corpus.text, **options)
        _write_cached(path, key, stream)
    return stream


def _read_cached(path: Path, key: str) -> list[str] | None:
    try:
        header, _, body = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if header != _header(key, body):
        return None
    # one sentence a line, words set apart by blanks: every line's end is a token of its own
    return body.decode().replace(END, f" {END} ").split(" ")[:-1] if body else []


def _write_cached(path: Path, key: str, stream: list[str]) -> None:
    body = " ".join(stream).replace(f" {END} ", END).removesuffix(f" {END}") + END if stream else ""
    raw = body.encode()
    # a cache that cannot be written costs a second next time; it is no error
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix="tokens-", delete=False) as file:
            temporary = Path(file.name)
        try:
            temporary.write_bytes(_header(key, raw) + b"\n" + raw)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _header(key: str, body: bytes) -> bytes:
    return f"pinchpoint tokens {key} {hashlib.sha256(body).hexdigest()}".encode()
