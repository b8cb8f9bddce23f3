"""What was run, and on which machine."""

from bench import profiles
from bench.axes import AXES, BY_NAME, DEFAULTS, FOREIGN
from bench.record import Record, Value
from bench.units import digits, quantity
from reports import labels, tables
from reports.document import Section, Table
from reports.study import Host, Study, values

ORDER = 20

#: What a reader asks of a machine first; the record holds the rest.
_HOST_FACTS = {
    "cpu": "processor",
    "cores": "cores",
    "memory_B": "memory",
    "accelerator": "accelerator",
    "power_limit_W": "power limit",
    "torch": "torch",
    "python": "Python",
    "os": "system",
    "git_commit": "commit",
    "fingerprint": "fingerprint",
}


def build(study: Study) -> Section | None:
    """None where there is no record; else always there: figures without their machine mean nothing."""
    if not study.records:
        return None
    runs = labels.count(len(study.runs), "run")
    machines = labels.count(len(study.hosts), "machine")
    lead = f"{runs} on {machines}"
    lead += "; values are compared within one machine only." if len(study.hosts) > 1 else "."
    hosts = [_host_table(host, len(study.hosts) > 1) for host in study.hosts]
    parts = [_axes_table(study), _profiles_table(study), *hosts, _models_table(study), _runs_table(study)]
    return Section("What was run", lead, tuple(table for table in parts if table.rows))


def _runs_table(study: Study) -> Table:
    """The runs by number; empty where there is only one."""
    first = {record.run: record for record in sorted(study.records, key=lambda r: r.started_at, reverse=True)}
    rows = [
        [str(number), labels.plain(run), labels.plain(first[run].started_at)[:16], study.host(first[run]).label]
        for number, run in enumerate(study.runs, start=1)
        if len(study.runs) > 1
    ]
    return tables.simple("The runs", ["run", "name", "started", "machine"], rows)


def _axes_table(study: Study) -> Table:
    """The axes that were varied, and those that were set to something other than their default."""
    rows = []
    for axis in AXES:
        taken = {values(r)[axis.name] for r in study.records} - {FOREIGN.get(axis.name)}
        found = sorted((v for v in taken if v is not None), key=lambda v: labels.rank(axis.name, v))
        if not found:  # another tool measured everything, and no model of ours
            continue
        if len(found) > 1 or found != [DEFAULTS[axis.name]] or axis.name in ("architecture", "workload"):
            shown = ", ".join(labels.value(value) for value in found[:12])
            rows.append([axis.label, shown + (f" and {len(found) - 12} more" if len(found) > 12 else ""), axis.help])
    corpora = sorted(
        {labels.plain(text) for r in study.records if (text := r.facts.get("text") or r.facts.get("corpus"))}
    )
    rows += [["text", corpus, "what the model reads"] for corpus in corpora[:3]]
    return tables.simple("What was varied and what was set", ["axis", "values", "meaning"], rows)


def _profiles_table(study: Study) -> Table:
    """The profiles that were used, number by number with its source; empty where there is none."""
    rows = []
    for name, profile in profiles.PROFILES.items():
        used = [found for record in study.records if (found := values(record))["profile"] == name]
        for place, (axis, figure) in enumerate(profile.figures.items() if used else ()):
            heads = [name, profile.description] if place == 0 else ["", ""]
            rows.append([*heads, BY_NAME[axis].label, *_figure(axis, figure, {found[axis] for found in used})])
    return tables.simple("The workload profiles", ["profile", "stands for", "axis", "value", "source"], rows)


def _figure(axis: str, figure: profiles.Figure, used: set[Value]) -> tuple[str, str]:
    """The values that were run, and where they are from: one that is not the profile's was given in the sweep."""
    shown = ", ".join(labels.value(value) for value in sorted(used, key=lambda value: labels.rank(axis, value)))
    if used == {figure.value}:
        return shown, figure.source
    return shown, f"given in the sweep; the profile has {figure.value}: {figure.source}"


def _host_table(host: Host, several: bool) -> Table:
    rows = [
        [name, _host_value(key, host.facts[key])]
        for key, name in _HOST_FACTS.items()
        if host.facts.get(key) is not None
    ]
    rows += _resolved(host.records)
    return tables.simple(f"Machine {host.label}" if several else "The machine", ["what", "value"], rows)


def _host_value(key: str, raw: Value | None) -> str:
    if isinstance(raw, str):
        return labels.plain(raw)[:120]
    unit = key.rpartition("_")[2] if key.endswith(("_B", "_W")) else ""
    return quantity(raw, unit) if unit and raw is not None else labels.value(raw if raw is not None else "")


def _resolved(records: tuple[Record, ...]) -> list[list[str]]:
    """What `auto` became: the child reports the device and the threads that it really used."""
    rows = []
    for fact, name in (("device", "device used"), ("threads", "threads used")):
        found = dict.fromkeys(labels.value(r.facts[fact]) for r in records if fact in r.facts)
        rows += [[name, ", ".join(found)]] if found else []
    return rows


def _models_table(study: Study) -> Table:
    """Counted from the shape, not from the module: a quantized module hides some of its parameters."""
    rows: dict[tuple[str, ...], None] = {}
    for record in study.ok:
        axes = values(record)
        if parameters := record.costs.get("parameters"):
            model = labels.value(axes["architecture"]), labels.value(axes["size"])
            rows[(*model, f"{digits(parameters / 1e6)} million")] = None
    heads = ["architecture", "size", "parameters"]
    return tables.simple("The models", heads, rows)
