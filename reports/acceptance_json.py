"""Verdicts on returned measurements as one JSON object, for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from reports import acceptance_table
from reports.acceptance import Judged
from reports.acceptance_offers import Offer

#: 1: the first form.
_SCHEMA = 1


def render(offers: Sequence[Offer], seal: str) -> str:
    """The offers, best first, each with all that was judged; `exit_code` is that of the best."""
    content = {
        "schema": _SCHEMA,
        "title": offers[0].verdicts.title,
        "seal": seal,
        "exit_code": offers[0].verdicts.exit_code,
        "offers": [_offer(offer) for offer in offers],
    }
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _offer(offer: Offer) -> dict[str, Any]:
    verdicts = offer.verdicts
    return {
        "label": offer.label,
        "place": offer.place,
        "machine": verdicts.machine,
        "answer": acceptance_table.answer(verdicts),
        "exit_code": verdicts.exit_code,
        "counts": verdicts.counts,
        "score": asdict(verdicts.score),
        "checks": [asdict(check) for check in verdicts.checks],
        "notes": list(offer.notes),
        "requirements": [_judged(each) for each in verdicts.judged],
    }


def _judged(each: Judged) -> dict[str, Any]:
    content = asdict(each)
    asked: dict[str, Any] = content.pop("requirement")
    return {"name": content.pop("name"), **asked, **content}
