"""Training, using and measuring a classifier on the command line, and models of other tokenizers."""

import json
import pickle

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

SMALL = ["--hidden=16", "--layers=1", "--vocabulary=64", "--encoder=bag-of-words"]
REVIEWS = "".join(f"good\tI like film {i} a lot\nbad\tI hate film {i} so much\n" for i in range(40))


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "reviews.tsv"
    path.write_text(REVIEWS, encoding="utf-8")
    return path


@pytest.fixture
def trained(pinchpoint, tmp_path, labels):
    """A small trained classifier, and what was said while it was trained."""
    command = ["train", "-a", "classifier", "--labels", labels, "--epochs", "6", "--learning-rate", "0.03", *SMALL]
    code, out, _ = pinchpoint(*command, "--output-dir", tmp_path / "model")
    assert code == 0
    return tmp_path / "model" / "model.safetensors", out


def test_train_prints_losses_and_scores_and_classify_labels_a_text(pinchpoint, trained):
    model, out = trained
    lines = [line.split() for line in out.splitlines()]
    losses = [float(words[1]) for words in lines if words and words[0].isdigit()]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert ["1.00", "1.00", "1.00", "4", "good"] in lines
    assert ["1.00", "1.00", "1.00", "8", "mean"] in lines
    for text, label in (("I like it", "good"), ("i hate it", "bad")):
        code, out, _ = pinchpoint("classify", model, "--text", text)
        assert code == 0
        shares = [float(line.split()[0].rstrip("%")) for line in out.splitlines()]
        assert out.splitlines()[0].split()[1] == label
        assert sum(shares) == pytest.approx(100, abs=0.2)


def test_a_classifier_does_not_generate_and_an_empty_text_is_not_labelled(pinchpoint, trained):
    model, _ = trained
    code, _, err = pinchpoint("generate", model, "--prompt", "I like")
    assert code == 2
    assert "labels texts; it continues none" in err
    code, _, err = pinchpoint("classify", model, "--text", " ")
    assert code == 2
    assert "no word in it" in err


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def pickled(path):
    path.write_bytes(pickle.dumps({"head.weight": [1.0]}))


def rewritten(change):
    def rewrite(path):
        with safe_open(path, framework="pt") as file:
            entry = json.loads(file.metadata()["pinchpoint"])
        tensors = load_file(path)
        change(tensors, entry)
        save_file(tensors, path, {"pinchpoint": json.dumps(entry)})

    return rewrite


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "not a whole safetensors file"),
        (pickled, "not a whole safetensors file"),
        (rewritten(lambda tensors, entry: tensors.pop("head.bias")), "lacks head.bias"),
        (
            rewritten(lambda tensors, entry: tensors.update(extra=tensors["head.bias"].clone())),
            "beyond its architecture extra",
        ),
        (rewritten(lambda tensors, entry: entry["config"].update(hidden=8)), "has in another shape encoder.embedding"),
        (
            rewritten(lambda tensors, entry: entry["vocabulary"].extend(map(str, range(1000, 1100)))),
            "words for 64 rows",
        ),
        (rewritten(lambda tensors, entry: entry["vocabulary"].pop()), "is damaged"),
        (rewritten(lambda tensors, entry: entry["labels"].pop()), "1 labels for 2 classes"),
    ],
)
def test_a_damaged_model_is_one_sentence_with_exit_code_2(pinchpoint, trained, damage, said):
    model, _ = trained
    damage(model)
    code, out, err = pinchpoint("classify", model, "--text", "I like it")
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("good\tfine\ngood\tnice\n", "has the one label 'good'"),
        ("good fine\nbad dull\n", "Line 1 of"),
        ("good\tfine\nbad\tdull\nbad\tbleak\n", "one text labelled 'good'"),
    ],
)
@pytest.mark.parametrize("command", ["run", "train"])
def test_labels_that_cannot_be_used_are_told_before_anything_starts(pinchpoint, tmp_path, command, content, said):
    path, folder = tmp_path / "labels.tsv", tmp_path / "out"
    path.write_text(content)
    code, _, err = pinchpoint(command, "-a", "classifier", "--labels", path, "--output-dir", folder)
    assert code == 2
    assert said in err
    assert not folder.exists()


def test_a_classifier_is_measured_over_the_users_texts(pinchpoint, tmp_path, labels):
    flags = ["--rounds=2", "--repetitions=1", "--block-seconds=0.001", "--warmup-limit=0", "-p", "16", "-b", "3"]
    flags.append("--ceilings=none")
    command = ["sweep", "ci", "-a", "classifier", "-w", "classify,train", "--labels", labels, *SMALL, *flags]
    code, out, _ = pinchpoint(*command, "--output-dir", tmp_path / "out", "-o", "jsonl")
    assert code == 0
    for record in map(json.loads, out.splitlines()):
        assert record["status"] == "ok"
        assert record["facts"]["labels"] == "bad, good"
        assert record["facts"]["corpus"] == "reviews.tsv"
        assert record["facts"]["parameters"] == record["costs"]["parameters"] == 64 * 16 + 2 * 17
        assert record["costs"]["tokens"] == 48
        assert record["metrics"]["throughput_tokens_per_s"]["value"] > 0
        assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize(
    ("flags", "text", "prompt"),
    [
        (["--language", "chinese"], "我们爱 Python 3。你们用它写字。", "我们爱 Python 3"),
        (["--unit", "characters"], "The cat sat on the mat. ", "The cat"),
    ],
)
def test_generate_writes_as_the_text_is_written(pinchpoint, tmp_path, flags, text, prompt):
    corpus = tmp_path / "text.txt"
    corpus.write_text(text * 60, encoding="utf-8")
    small = ["--hidden=16", "--embedding=16", "--vocabulary=64", "-p", "4", "-n", "4", "--epochs", "1"]
    code, _, _ = pinchpoint("train", "--corpus", corpus, "--output-dir", tmp_path / "model", *flags, *small)
    assert code == 0
    model = tmp_path / "model" / "model.safetensors"
    code, out, _ = pinchpoint("generate", model, "--prompt", prompt, "-n", 12, "--temperature", 1)
    assert code == 0
    started = prompt.lower() if flags[0] == "--unit" else "我们爱python 3"
    assert out.startswith(started)
    assert "␣" not in out
    assert len(out.strip()) > len(started)
