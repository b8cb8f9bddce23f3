"""Workload profiles: named mixes of prompt length, output length and concurrency, each number with its source.

The axes, the points and the reports all read them, so nothing heavy is imported. Sources count in tokens of their own,
words or a model's subwords; their lengths are taken over as they stand, rounded.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.record import Value

#: The value of the axis where no profile is chosen.
NONE = "none"


@dataclass(frozen=True)
class Figure:
    """One number of a profile: what the source at `url` says, or, in `assumed`, why it is an assumption of ours."""

    value: int
    says: str = ""
    url: str = ""
    assumed: str = ""

    @property
    def source(self) -> str:
        """Where the number is from, in words for a report."""
        return f"{self.says} ({self.url})" if self.url else f"assumed: {self.assumed}"


@dataclass(frozen=True)
class Profile:
    """What one kind of use asks of a model: tokens a prompt, tokens an output, and sequences that run together."""

    description: str
    prompt_tokens: Figure
    output_tokens: Figure
    concurrency: Figure

    @property
    def figures(self) -> dict[str, Figure]:
        """Each number by the axis that it sets."""
        return {
            "batch_size": self.concurrency,
            "sequence_length": self.prompt_tokens,
            "generated_length": self.output_tokens,
        }


_PAGED_ATTENTION = "https://arxiv.org/abs/2309.06180"
_SPLITWISE = "https://arxiv.org/abs/2311.18677"
_POINTER_GENERATOR = "https://arxiv.org/abs/1704.04368"
_WRITING_PROMPTS = "https://arxiv.org/abs/1805.04833"
_RCV1 = "https://jmlr.csail.mit.edu/papers/volume5/lewis04a/lewis04a.pdf"
_SENTENCE_CNN = "https://arxiv.org/abs/1408.5882"
#: Statistics of data sets that this benchmark counted; its folder `Leaderboard` has a page each.
_TEXTBOX = "https://github.com/RUCAIBox/TextBox"

#: No figure of how many such requests run together was found; these say what was taken instead, and why.
_ONE_USER = Figure(1, assumed="one person waits for one answer, and latency is what counts")
_SMALL_BATCH = Figure(8, assumed="a service that gathers a few requests; no published figure was found")
_LARGE_BATCH = Figure(32, assumed="labelling is done in bulk; no published figure was found")
_LABEL = Figure(1, assumed="a classifier generates nothing; a language model names the label in one token")

#: In the order in which they are listed.
PROFILES: dict[str, Profile] = {
    "chat": Profile(
        "a conversation with an assistant",
        Figure(161, "mean input of ShareGPT, 161.31 tokens, figure 11", _PAGED_ATTENTION),
        Figure(338, "mean output of ShareGPT, 337.99 tokens, figure 11", _PAGED_ATTENTION),
        Figure(
            30,
            "30.42 requests batched on average, OPT-13B on one GPU, 2 requests a second, figure 13",
            _PAGED_ATTENTION,
        ),
    ),
    "summarize": Profile(
        "a news article into a few sentences",
        Figure(781, "mean article of CNN/Daily Mail, 781 tokens, section 4", _POINTER_GENERATOR),
        Figure(56, "mean summary of CNN/Daily Mail, 56 tokens, section 4", _POINTER_GENERATOR),
        _SMALL_BATCH,
    ),
    "translate": Profile(
        "one sentence into another language",
        Figure(21, "mean source of WMT16 German-English, 21.3 tokens, Leaderboard at 3fea0996db", _TEXTBOX),
        Figure(23, "mean target of WMT16 German-English, 23.0 tokens, Leaderboard at 3fea0996db", _TEXTBOX),
        _SMALL_BATCH,
    ),
    "answer": Profile(
        "a short answer out of a passage",
        Figure(156, "mean source of SQuAD, 156.2 tokens, Leaderboard at 0c70e1fb5d", _TEXTBOX),
        Figure(4, "mean answer of SQuAD, 3.6 tokens, Leaderboard at 0c70e1fb5d", _TEXTBOX),
        _SMALL_BATCH,
    ),
    "classify": Profile(
        "the topic of a news story; nothing is generated",
        Figure(124, "mean document of RCV1-v2, 123.9 terms after stop words were removed", _RCV1),
        _LABEL,
        _LARGE_BATCH,
    ),
    "sentiment": Profile(
        "the mood of a sentence; nothing is generated",
        Figure(19, "mean sentence of SST-2, 19 words, table 1", _SENTENCE_CNN),
        _LABEL,
        _LARGE_BATCH,
    ),
    "generate": Profile(
        "a story from a one-sentence idea",
        Figure(28, "mean prompt of WritingPrompts, 28.4 words", _WRITING_PROMPTS),
        Figure(734, "mean story of WritingPrompts, 734 words", _WRITING_PROMPTS),
        _ONE_USER,
    ),
    "code": Profile(
        "completion in an editor",
        Figure(1500, "median prompt of Azure's coding service, 1500 tokens, section 3.1", _SPLITWISE),
        Figure(13, "median output of Azure's coding service, 13 tokens, section 3.1", _SPLITWISE),
        _ONE_USER,
    ),
}

#: The axes that a profile sets where they are not given themselves.
AXES = tuple(PROFILES["chat"].figures)


def fill(values: Mapping[str, Value]) -> dict[str, Value]:
    """`values` with what their profile sets; what they give themselves wins."""
    profile = PROFILES.get(str(values.get("profile", NONE)))
    chosen = {axis: figure.value for axis, figure in profile.figures.items()} if profile else {}
    return {**chosen, **values}
