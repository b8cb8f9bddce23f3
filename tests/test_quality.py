import copy
import math

import pytest
import torch
from torch.nn import functional as F

from model.architectures import LanguageModel, build
from model.errors import UserError
from model.quality import (
    Graded,
    classification,
    compare,
    grade,
    perplexity,
    standard_error,
    summarize,
)
from model.shapes.lstm import Config
from model.text import PAD, Windows
from model.train import held_out_loss

CONFIG = Config(vocabulary=50, embedding=8, hidden=8, layers=1)
CODES = torch.randint(4, 50, (400,), generator=torch.Generator().manual_seed(0))
WINDOWS = Windows(CODES, 6, 4, stride=4)


def pair(noise: float = 0.5) -> tuple[LanguageModel, LanguageModel]:
    """A parent that does not say the same of every token, and a variant that favours other words."""
    parent = build("lstm", CONFIG, seed=0)
    with torch.no_grad():
        parent.embedding.weight *= 20
    variant = copy.deepcopy(parent)
    with torch.no_grad():
        variant.projection.bias += noise * torch.randn(50, generator=torch.Generator().manual_seed(1))
    return parent, variant


def graded(parent: torch.Tensor, variant: torch.Tensor) -> Graded:
    """Losses as if they had been graded, (sequences, G), every token counting."""
    nothing = torch.zeros_like(parent)
    return Graded(torch.ones_like(parent, dtype=torch.bool), parent, variant, nothing, nothing)


def test_a_model_beside_itself_loses_nothing():
    parent, variant = pair(noise=0.0)
    found = compare(parent, variant, WINDOWS)
    assert (found.delta_ln_perplexity, found.delta_ln_perplexity_se, found.same_top_1) == (0.0, 0.0, 1.0)
    assert found.kl_mean == pytest.approx(0.0, abs=1e-6)
    assert found.perplexity == found.parent_perplexity
    assert (found.tokens, found.sequences, found.reason) == (len(WINDOWS) * 4, len(WINDOWS), None)


def test_perplexities_are_those_of_the_held_out_loss():
    parent, variant = pair()
    found = compare(parent, variant, WINDOWS, batch_size=7)
    assert found.parent_perplexity == pytest.approx(math.exp(held_out_loss(parent, WINDOWS, 16)), rel=1e-5)
    assert found.perplexity == pytest.approx(math.exp(held_out_loss(variant, WINDOWS, 16)), rel=1e-5)
    assert found.delta_ln_perplexity == pytest.approx(math.log(found.perplexity / found.parent_perplexity), rel=1e-4)


def test_divergence_and_top_word_are_torch_s_own():
    parent, variant = pair()
    source = torch.stack([window[0] for window in WINDOWS])
    target = torch.stack([window[1] for window in WINDOWS])
    with torch.inference_mode():
        expected, logits = parent(source, target), variant(source, target)
    divergence = F.kl_div(logits.log_softmax(-1), expected.log_softmax(-1), log_target=True, reduction="none").sum(-1)
    found = compare(parent, variant, WINDOWS)
    assert found.kl_mean == pytest.approx(float(divergence.mean()), rel=1e-4)
    assert found.kl_tail == pytest.approx(
        float(divergence.flatten().sort().values[-1]), rel=1e-4
    )  # of 392 tokens: the largest
    assert found.same_top_1 == pytest.approx(float((logits.argmax(-1) == expected.argmax(-1)).float().mean()))
    assert 0 < found.same_top_1 < 1


def test_padding_is_not_graded():
    codes = CODES.clone()
    codes[6:10] = torch.tensor([7, 8, PAD, PAD])  # the first target
    found = compare(*pair(), Windows(codes[:10], 6, 4))
    assert found.tokens == 2
    two = grade(*pair(), Windows(codes[:8], 6, 2))
    assert found.delta_ln_perplexity == pytest.approx(float(two.deltas().sum()) / 2, rel=1e-5)
    assert found.delta_ln_perplexity_se is None  # one sequence has no spread


@pytest.mark.parametrize("precision", ["fp32", "amp-bf16"])
def test_the_variant_alone_runs_in_its_precision(precision: str):
    parent, variant = pair(noise=0.0)
    found = compare(parent, variant, WINDOWS, precision=precision)
    assert (found.delta_ln_perplexity == 0.0) == (precision == "fp32")
    assert found.parent_perplexity == compare(parent, variant, WINDOWS).parent_perplexity


def test_the_standard_error_is_that_of_a_mean_over_independent_sequences():
    totals = torch.randn(400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    counts = torch.full((400,), 8)
    expected = float(totals.std()) / 8 / math.sqrt(400)
    assert standard_error(totals, counts) == pytest.approx(expected, rel=0.1)  # 1000 resamples: 2.2 % of error
    assert standard_error(totals, counts) == standard_error(totals, counts)
    assert standard_error(totals, counts, seed=1) != standard_error(totals, counts)


def test_tokens_that_move_together_in_a_sequence_count_as_one():
    shift = torch.randn(300, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    together = summarize(graded(torch.zeros(300, 16, dtype=torch.float64), shift.expand(300, 16)))
    apart = summarize(
        graded(
            torch.zeros(300, 16, dtype=torch.float64),
            shift.expand(300, 16)
            .flatten()[torch.randperm(4800, generator=torch.Generator().manual_seed(1))]
            .view(300, 16),
        )
    )
    assert together.delta_ln_perplexity_se == pytest.approx(4 * apart.delta_ln_perplexity_se, rel=0.2)


def test_unequal_sequences_weigh_by_their_tokens():
    totals, counts = torch.tensor([6.0, 1.0] * 100), torch.tensor([6, 1] * 100)
    assert standard_error(totals, counts) == pytest.approx(0.0, abs=1e-12)  # every token loses exactly 1


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_variant_that_is_not_finite_is_said_and_has_no_figures(broken: float):
    parent, variant = pair()
    with torch.no_grad():
        variant.projection.bias[7] = broken
    found = compare(parent, variant, WINDOWS)
    assert "is not finite on 392 of 392 held-out tokens" in str(found.reason)
    assert found.parent_perplexity is not None
    assert found.perplexity is found.delta_ln_perplexity is found.delta_ln_perplexity_se is None
    assert found.kl_mean is found.kl_tail is found.same_top_1 is None


def test_a_parent_that_is_not_finite_is_an_error():
    parent, variant = pair()
    torch.nn.init.constant_(parent.projection.bias, math.nan)
    with pytest.raises(UserError, match="parent's likelihood"):
        compare(parent, variant, WINDOWS)


def test_a_perplexity_that_no_number_holds_is_said():
    assert perplexity(2.0) == pytest.approx(math.e**2)
    assert perplexity(1000.0) is None
    found = summarize(graded(torch.ones(3, 2), torch.full((3, 2), 1000.0)))
    assert (found.perplexity, found.delta_ln_perplexity) == (None, 999.0)
    assert "beyond what a number holds" in str(found.reason)


NAMES = ("cat", "dog", "eel", "fox")


def test_scores_of_a_classifier_are_those_counted_by_hand():
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    predicted = torch.tensor([0, 0, 1, 1, 0, 1])
    found = classification(labels, predicted, NAMES)
    assert (found.examples, found.accuracy) == (6, 0.5)
    cat, dog, eel = found.classes  # no fox among labels or predictions
    assert (cat.name, cat.precision, cat.recall, cat.f1, cat.support) == ("cat", 2 / 3, 2 / 3, 2 / 3, 3)
    assert (dog.precision, dog.recall, dog.f1, dog.support) == (1 / 3, 1 / 2, 2 / 5, 2)
    assert (eel.precision, eel.recall, eel.f1, eel.support) == (0.0, 0.0, 0.0, 1)
    assert found.never_predicted == ("eel",)
    assert found.macro_precision == pytest.approx(1 / 3)
    assert found.macro_recall == pytest.approx((2 / 3 + 1 / 2) / 3)
    assert found.macro_f1 == pytest.approx((2 / 3 + 2 / 5) / 3)


def test_a_class_that_is_predicted_but_never_right_counts():
    found = classification(torch.tensor([0, 0]), torch.tensor([0, 3]), NAMES)
    assert [score.name for score in found.classes] == ["cat", "fox"]
    assert found.classes[1].recall == 0.0
    assert found.never_predicted == ()


def test_a_perfect_classifier_scores_one():
    labels = torch.arange(4)
    found = classification(labels, labels, NAMES)
    assert (found.accuracy, found.macro_precision, found.macro_recall, found.macro_f1) == (1.0, 1.0, 1.0, 1.0)


def test_no_example_is_one_sentence():
    with pytest.raises(UserError, match="no example"):
        classification(torch.tensor([], dtype=torch.long), torch.tensor([], dtype=torch.long), NAMES)


def test_a_variant_that_is_out_of_time_is_graded_on_fewer_windows_and_on_no_others():
    parent, variant = pair()
    short = grade(parent, variant, WINDOWS, batch_size=7, limit_s=0.0)
    whole = grade(parent, variant, WINDOWS, batch_size=7, limit_s=1e6)
    assert len(short.parent) == 7  # one batch always
    assert len(whole.parent) == len(WINDOWS)
    assert torch.equal(short.parent, whole.parent[:7])
    assert compare(parent, variant, WINDOWS, limit_s=0.0, batch_size=7).sequences == 7


def test_the_order_in_which_windows_are_graded_changes_no_figure():
    parent, variant = pair()
    in_order, drawn = (compare(parent, variant, WINDOWS, limit_s=limit) for limit in (math.inf, 1e6))
    assert drawn.delta_ln_perplexity == pytest.approx(in_order.delta_ln_perplexity)
    assert drawn.kl_mean == pytest.approx(in_order.kl_mean)
