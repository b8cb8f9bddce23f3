"""Rows of llama-bench where it writes text: CSV, SQL and the table in Markdown. Each knows the line it stands on."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.importers._fields import Fields

#: Fields that hold a number in every build (test::get_field_type); the rest is text.
_NUMBERS = frozenset((
    "build_number", "model_size", "model_n_params", "n_batch", "n_ubatch", "n_threads", "poll", "n_gpu_layers",
    "n_cpu_moe", "main_gpu", "n_prompt", "n_gen", "n_depth", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts",
    "cpu_strict", "no_kv_offload", "flash_attn", "embeddings", "use_mmap", "f16_kv", "use_direct_io",
    "no_op_offload", "no_host", "repack", "mul_mat_q", "low_vram", "fit_target", "fit_min_ctx", "cuda", "hip",
    "vulkan", "opencl", "metal", "kompute", "sycl", "rpc", "gpu_blas", "blas",
))  # fmt: skip
#: How the table in Markdown calls a field that has another name elsewhere.
_SHORT = {"ngl": "n_gpu_layers", "sm": "split_mode", "threads": "n_threads", "nkvo": "no_kv_offload",
          "fa": "flash_attn", "mmap": "use_mmap", "dio": "use_direct_io", "lm": "load_mode", "embd": "embeddings",
          "nopo": "no_op_offload", "noh": "no_host", "rpk": "repack", "dev": "devices", "ts": "tensor_split",
          "ot": "tensor_buft_overrides", "fitt": "fit_target", "fitc": "fit_min_ctx", "mmq": "mul_mat_q"}  # fmt: skip
_NEEDED = ("model", "size", "params", "backend", "test", "t/s")
_NUMBER = re.compile(r"-?\d{1,19}(\.\d{1,19})?")
_SIZE = re.compile(r"(\d{1,9}\.\d\d) (MiB|GiB)")
_PARAMETERS = re.compile(r"(\d{1,9}\.\d\d) ([MB])")
_TEST = re.compile(r"(?:pp ?(\d{1,9}))?\+?(?:tg ?(\d{1,9}))?(?: @ d(\d{1,9}))?")
_SPEED = re.compile(r"(\d{1,15}\.\d\d) ± (\d{1,15}\.\d\d)")
_BUILD = re.compile(r"build: (\S{1,64}) \((\d{1,9})\)")
#: Devices as backends announce them on the terminal, from where they are copied with the table.
_DEVICE = re.compile(r"\s*Device \d+: (.+?), |ggml_vulkan: \d+ = (.+?) \(|ggml_metal\S*: GPU name:\s+(.+)")
_ANNOUNCED = re.compile(r"(ggml_|load_backend|register_|warning:|llama|main:|```|\s*Device \d+:|\|\s*[-:]+\s*\|).*")
_SCALES = {"MiB": 2**20, "GiB": 2**30, "M": 10**6, "B": 10**9}


def rows(path: Path, text: str) -> list[Fields]:
    """The tests in a text, one at least, with the fields' names as JSON has them. Raises `UserError` with the line."""
    first = text.lstrip().split("\n", 1)[0]
    if "build_commit" in first and "," in first and not first.startswith("INSERT"):
        found = list(_csv(path, text))
    elif first.startswith(("CREATE TABLE", "INSERT INTO")):
        found = list(_sql(path, text))
    else:
        found = _Table(path).read(text)
    if not found:
        raise UserError(f"{path} holds no test of llama-bench.", "Run it again: llama-bench -o json > FILE.")
    return found


def _csv(path: Path, text: str) -> Iterator[Fields]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    names: list[str] = []
    try:
        for cells in reader:
            if "build_commit" in cells:
                names = cells
            elif cells:
                yield _row(path, reader.line_num, names, cells)
    except csv.Error as error:
        raise _refused(path, reader.line_num, f"is no CSV: {error}") from error


def _sql(path: Path, text: str) -> Iterator[Fields]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("INSERT"):
            if re.fullmatch(r"(CREATE TABLE .*\(|  \w+ \w+,?|\);|\s*)", line) is None:
                raise _refused(path, number, "is none that llama-bench -o sql writes")
            continue
        found = re.fullmatch(r"INSERT INTO \w+ \(([\w, ]+)\) VALUES \('(.*)'\);\s*", line)
        if found is None:
            raise _refused(path, number, "is no whole INSERT of llama-bench")
        yield _row(path, number, found[1].split(", "), found[2].split("', '"))


def _row(path: Path, line: int, names: list[str], cells: list[str]) -> Fields:
    if len(cells) != len(names):
        raise _refused(path, line, f"has {len(cells)} cells for {len(names)} columns")
    row = Fields({}, path, line=line)
    return Fields({name: _value(row, name, cell) for name, cell in zip(names, cells, strict=True)}, path, line=line)


def _value(row: Fields, name: str, cell: str) -> Any:
    if name not in _NUMBERS:
        return cell
    if _NUMBER.fullmatch(cell) is None:
        raise row.refuse(name, f"is {cell[:40]!r}, and no number")
    return float(cell) if "." in cell else int(cell)


def _refused(path: Path, line: int, why: str) -> UserError:
    return UserError(f"{path}: line {line} {why}.", "Write it again, best in full: llama-bench -o json > FILE.")


@dataclass
class _Table:
    """Reads tables in Markdown with what stands around them on the terminal: the devices before, the build after."""

    path: Path
    names: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    found: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def read(self, text: str) -> list[Fields]:
        for number, line in enumerate(text.splitlines(), 1):
            if build := _BUILD.fullmatch(line.strip()):
                for _, row in self.found:
                    row.setdefault("build_commit", build[1])
                    row.setdefault("build_number", int(build[2]))
            elif device := _DEVICE.match(line):
                self.devices.append(next(name for name in device.groups() if name))
            elif line.startswith("| model"):
                self.names = self._header(number, line)
            elif line.startswith("|") and not _ANNOUNCED.fullmatch(line):
                self.found.append((number, self._test(number, line)))
            elif line.strip() and not _ANNOUNCED.fullmatch(line):
                raise _refused(self.path, number, f"is no row of a table of llama-bench: {line.strip()[:40]!r}")
        return [Fields(row, self.path, line=number) for number, row in self.found]

    def _cells(self, number: int, line: str) -> list[str]:
        parts = line.strip().rstrip("|").split("|")[1:]
        if not line.rstrip().endswith("|"):
            raise _refused(self.path, number, "is cut off: it does not end with |")
        return [part.strip() for part in parts]

    def _header(self, number: int, line: str) -> list[str]:
        names = self._cells(number, line)
        missing = [name for name in _NEEDED if name not in names]
        if missing:
            raise _refused(self.path, number, f"heads a table without the column {missing[0]!r}")
        return [_SHORT.get(name, name) for name in names]

    def _test(self, number: int, line: str) -> dict[str, Any]:
        if not self.names:
            raise _refused(self.path, number, "is a row of a table whose head is missing")
        row = dict(_row(self.path, number, self.names, self._cells(number, line)).raw)
        told = Fields(row, self.path, line=number)
        speed = _matched(told, "t/s", _SPEED, "12.34 ± 0.56")
        test = _matched(told, "test", _TEST, "pp512, tg128 or pp512+tg128")
        prompt, output, depth = (int(part or 0) for part in test.groups())
        if float(speed[1]) == 0:
            raise told.refuse("t/s", "is 0.00, for which the table has too few digits: use -o json")
        size, parameters = _matched(told, "size", _SIZE, "3.56 GiB"), _matched(told, "params", _PARAMETERS, "6.74 B")
        tokens_per_s = float(speed[1])
        known = {name: value for name, value in row.items() if name not in _NEEDED}
        devices = {"gpu_info": ", ".join(self.devices)} if self.devices else {}
        return (
            known
            | devices
            | {
                "model_type": row["model"],
                "backends": row["backend"],
                "model_size": round(float(size[1]) * _SCALES[size[2]]),
                "model_n_params": round(float(parameters[1]) * _SCALES[parameters[2]]),
                "rounded": "the table rounds the model's size and parameters, and has the mean speed alone",
                "n_prompt": prompt,
                "n_gen": output,
                "n_depth": depth,
                "avg_ts": tokens_per_s,
                "stddev_ts": float(speed[2]),
                "avg_ns": (prompt + output) / tokens_per_s * 1e9,
            }
        )


def _matched(row: Fields, name: str, pattern: re.Pattern[str], such: str) -> re.Match[str]:
    found = pattern.fullmatch(str(row.raw[name]))
    if found is None:
        raise row.refuse(name, f"is {str(row.raw[name])[:40]!r}, and not such as {such}")
    return found
