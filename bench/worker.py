"""The child: answers the parent's requests about one point.

It reads one JSON request a line on stdin and answers with one JSON line on the pipe that was its stdout:

    {"do": "build", "axes": {...}, "settings": {...}}        -> {"built": {...}}
    {"do": "block", "kind": "timed", "round": 3, ...}        -> {"block": {...}}
    {"do": "observe"}                                        -> {"observation": {...} or null, "unobserved": ...}
    {"do": "track"}                                          -> {"tracked": {...}}: facts on what the memory is made of
    {"do": "block", ..., "under": {"threads": 1, ...}}       -> the same, under `bench.interventions.Conditions`
    {"do": "count"}                                          -> {"dispatches": 37}: operators that an iteration calls
    {"do": "gauge", "device": ..., "threads": 2, "under": {...}} -> {"rates": {...}}: what each resource gives now
    {"do": "gpu", "device": ...}                             -> {"gpu": "GPU-..."}: its UUID; null where NVML tells none
    {"do": "keep_memory"}                                    -> {"keeps_memory": true}: freed memory is not given back
    {"do": "kernels", "device": ..., "kernels": [{...}, ...]} -> {"seconds": [[...] or a reason, ...]}
    {"do": "refusals", "points": [{...}, ...], "settings": {...}} -> {"refusals": [null or a reason, ...]}
    {"do": "train", "axes": {...}, "settings": {...}}        -> {"trained": {...}}: a model to grade variants of
    {"do": "grade", "axes": {...}}                           -> {"graded": {"figures": {...}, "reason": ...}}
    {"do": "inspect"}                                        -> {"found": {...}}: what can be run and read here
    {"do": "fetch", "model": ..., "trust_remote_code": ...}  -> {"folder": ...}: a model of the hub, downloaded
    {"do": "ceiling", "name": ..., "setting": {...}}         -> {"ceiling": {...}}: what the machine can do at most
    {"do": "finish"}                                         -> {"finished": true}, and it ends

or with {"failed": {"status": ..., "reason": ...}} where the point cannot go on; then it ends too. Whatever a library
prints goes to stderr, so that it cannot be taken for an answer.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TextIO

import torch

from bench import capabilities, ceilings, conditions, gauges, grading, host, kernels, nvml, subject
from bench.errors import Unsupported, UserError
from bench.record import Value
from bench.session import Session
from model.architectures import hf
from model.shapes.hf import Config

#: How torch, CUDA and its libraries say that memory ran out, where they raise a plain RuntimeError.
_OUT_OF_MEMORY = ("can't allocate memory", "std::bad_alloc", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")


def failure(error: Exception) -> dict[str, str]:
    """Name what happened: out of memory, something that this build cannot do, or a crash with its last words."""
    said = " ".join(str(error).split())
    if isinstance(error, Unsupported):
        return {"status": "unsupported", "reason": said}
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(phrase in said for phrase in _OUT_OF_MEMORY):
        return {"status": "oom", "reason": said or "Python ran out of memory"}
    if isinstance(error, NotImplementedError) or any(
        phrase in said for phrase in ("not implemented for", "could not create a primitive")
    ):
        return {"status": "unsupported", "reason": f"torch {torch.__version__} says: {said[:300]}"}
    return {"status": "crashed", "reason": f"{type(error).__name__}: {said[:500]}"}


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until `finish`, the end of the input, or a failure."""

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    session: Session | None = None
    grader: grading.AnyGrader | None = None
    answer({"ready": True})
    for line in requests:
        request = json.loads(line)
        try:
            if request["do"] == "build":
                session = Session(request["axes"], request["settings"])
                answer({"built": session.build()})
            elif request["do"] == "block" and session is not None:
                probes_too = request.get("probes", True)
                with session.under(conditions.read(request.get("under"))):
                    block = session.block(request["kind"], request["round"], request["process"], with_probes=probes_too)
                answer({"block": asdict(block)})
            elif request["do"] in ("observe", "track") and session is not None:
                answer(session.observe() if request["do"] == "observe" else {"tracked": session.track()})
            elif request["do"] == "count" and session is not None:
                answer({"dispatches": session.dispatches()})
            elif request["do"] == "train":
                grader = grading.train(request["axes"], request["settings"])
                answer({"trained": grader.report()})
            elif request["do"] == "grade" and grader is not None:
                answer({"graded": _graded(grader, request["axes"])})
            elif (act := _ON_MACHINE.get(request["do"])) is not None:
                answer(act(request))
            else:
                answer({"finished": True})
                return
        except UserError as error:
            answer({"error": {"message": error.message, "remedy": error.remedy}})
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it becomes this point's record
            answer({"failed": failure(error)})
            return


def _inspect(_request: dict[str, Any]) -> dict[str, Any]:
    return {"found": capabilities.find()}


def _fetch(request: dict[str, Any]) -> dict[str, Any]:
    return {"folder": hf.fetch(Config(request["model"], request["trust_remote_code"])).path}


def _ceiling(request: dict[str, Any]) -> dict[str, Any]:
    found = ceilings.measure(request["name"], ceilings.Setting(**request["setting"]))
    return {"ceiling": {name: asdict(ceiling) for name, ceiling in found.items()}}


def _gauge(request: dict[str, Any]) -> dict[str, Any]:
    return {"rates": gauges.of(request["device"], request["threads"]).rates(conditions.read(request.get("under")))}


def _gpu(request: dict[str, Any]) -> dict[str, Any]:
    try:
        with nvml.gpu(request["device"]) as found:
            return {"gpu": found.uuid()}
    except (Unsupported, nvml.GpuLost):
        return {"gpu": None}


def _keep_memory(_request: dict[str, Any]) -> dict[str, Any]:
    host.keep_freed_memory()
    return {"keeps_memory": True}


def _kernels(request: dict[str, Any]) -> dict[str, Any]:
    return {"seconds": kernels.measure([kernels.of(each) for each in request["kernels"]], request["device"])}


def _refusals(request: dict[str, Any]) -> dict[str, Any]:
    return {"refusals": [subject.refusal(axes, request["settings"]) for axes in request["points"]]}


#: Requests that are about this machine, and of no point.
_ON_MACHINE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "inspect": _inspect,
    "fetch": _fetch,
    "ceiling": _ceiling,
    "gauge": _gauge,
    "gpu": _gpu,
    "keep_memory": _keep_memory,
    "kernels": _kernels,
    "refusals": _refusals,
}


def _graded(grader: grading.AnyGrader, axes: dict[str, Value]) -> dict[str, Any]:
    """The figures of one variant, or why there are none; the next variant is graded all the same."""
    try:
        return {"figures": grader.grade(axes), "reason": None}
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes the reason
        return {"figures": {}, "reason": failure(error)["reason"]}


def main() -> None:
    """Keep the pipe to the parent for answers alone, and serve."""
    host.adopt_orphan_policy()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    torch.set_num_interop_threads(1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
