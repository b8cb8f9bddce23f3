"""List the proofs with their last recorded figure, date and machine."""

import json
import pkgutil

import tests.proofs
from tests.proofs.proof import RECORDED, table

recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
rows = []
for module in pkgutil.iter_modules(tests.proofs.__path__):
    if module.name in {"proof", "diagnosed", "held_out", "kept_runs", "peers", "published_fits", "__main__"}:
        continue
    last = recorded.get(module.name)
    rows.append(
        [module.name, f"{last['figure']:.4g} {last['unit']}", last["target"], str(last["holds"]), last["date"]]
        if last
        else [module.name, "not recorded", "", "", ""]
    )
table(["proof", "figure", "target", "holds", "date"], rows)
for name in sorted({last["machine"] for last in recorded.values()}):
    print(f"machine: {name}")
