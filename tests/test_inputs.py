"""The script of a page's inputs, in a real browser where there is one."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from reports import answer_words, page, render_html
from tests import answers
from tests.test_procurement_page import inputs, median, values

CHROMIUM = shutil.which("chromium")


def dom(html: str, path, script: str) -> str:
    """The page after `script` ran on it in a real browser, which may only run what its policy names: so without it."""
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    path.write_text(free.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--dump-dom"]
    done = subprocess.run([CHROMIUM, *flags, path.as_uri()], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="there is no browser here")
def test_a_browser_computes_sorts_and_ranks_anew_and_goes_back(tmp_path):
    answer = answers.answer(demand=None)
    html = render_html.render(page.build([], "Hardware", answer=answer))
    script = """
    const set = (name, value) => {
      const field = document.querySelector(`input[name="${name}"]`);
      field.value = value; field.dispatchEvent(new Event("input"));
    };
    const rows = () => [...document.querySelector(".inputs table").tBodies[0].rows]
      .map((row) => [...row.cells].map((cell) => cell.textContent.replaceAll("\\u00a0", " ")));
    const seen = { before: rows() };
    set("buy NVIDIA H200", 1); seen.cheap = rows();
    set("PUE", 0.5); seen.told = document.querySelector(".status").textContent;
    document.querySelector(".reset").click(); seen.after = rows();
    document.body.dataset.seen = JSON.stringify(seen);
    """
    found = re.search(r'data-seen="([^"]*)"', dom(html, tmp_path / "page.html", script))
    assert found is not None
    seen = json.loads(unescape(found[1]))
    assert seen["after"] == seen["before"]
    assert [row[:2] for row in seen["cheap"][:2]] == [["1", "2 x NVIDIA H200"], ["2", "AMD Instinct MI325X"]]
    place = next(place for place, option in enumerate(answer.options) if "H200" in answer_words.name(option))
    part = inputs(answer)
    owned = median(part.formulas[place][3], values(part) | {"buy NVIDIA H200": 1})
    assert float(seen["cheap"][0][3].split()[0]) == pytest.approx(owned, rel=0.01)
    assert seen["told"] == "PUE: power of the site over that of its servers: enter a number of at least 1."
