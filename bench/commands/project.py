"""`pinchpoint project`: which hardware to buy or rent for a model and its requests."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import UserError

if TYPE_CHECKING:
    from reports.projection.ranking import Criterion

_EPILOG = """
\b
Examples:
  pinchpoint project --model llama-3.1-8b --demand 5000tok/s --tpot 50ms
  pinchpoint project --model phi-4 --weights fp8 --to "2x h200 sxm,mi300x"
  pinchpoint project --model phi-4 --engine llama.cpp -b 1 --weights Q4_K_M
  pinchpoint project --model phi-4 --mix 512x128 --criterion speed --to AMD
  pinchpoint project --model phi-4 --set life_years=3 --output-dir out
  pinchpoint project pinchpoint-results     what was measured here, elsewhere
  pinchpoint project --model transformer/1b --weights bf16 --rfp pack
  pinchpoint project --list-devices --to NVIDIA
\b
Every figure has a 90 % interval, and each option says how far it reaches
beyond what was measured. Exit codes: 0 answered, 2 usage, 3 nothing could be
answered, or nothing meets what is asked.
"""
#: Flag -> what a ranking calls it.
CRITERIA: "dict[str, Criterion]" = {
    "owned": "owned cost",
    "rented": "rented cost",
    "energy": "energy",
    "speed": "speed",
}


@click.command(epilog=_EPILOG)
@click.argument("stores", metavar="[STORE]...", nargs=-1)
@click.option(
    "--model",
    default=None,
    metavar="NAME_OR_FOLDER",
    help="published name (llama-3.1-8b), transformer/7b, or a folder with a config.json; default: that of STORE",
)
@click.option(
    "--weights", default=None, metavar="FORMAT", help="number format of the weights; default fp16, or STORE's"
)
@click.option("--kv", default=None, metavar="FORMAT", help="number format of the KV cache; default fp16, or STORE's")
@click.option(
    "--engine", default=None, metavar="ENGINE[/BACKEND]", help="vllm, llama.cpp/vulkan; default: any, or STORE's"
)
@click.option(
    "--mix",
    default=None,
    metavar="MIX",
    help="requests: chat:0.7,summarize:0.3, or PROMPTxOUTPUT as in 512x128; default chat, or STORE's",
)
@click.option(
    "-b",
    "--batch-size",
    type=click.IntRange(1, 1 << 16),
    default=None,
    help="sequences that run together on a replica; default: the best within the limits",
)
@click.option("--demand", default=None, metavar="RATE", help="what all must do together: 5000tok/s, 100req/s")
@click.option("--ttft", default=None, metavar="TIME", help="limit of the time to the first token: 500ms")
@click.option("--tpot", default=None, metavar="TIME", help="limit of the time per further token: 50ms")
@click.option(
    "--to",
    default=None,
    metavar="DEVICES",
    help='devices, by commas: "h100 sxm,4x l40s,a100@300W", or all, a kind or a vendor; 4x fixes how many serve a '
    "replica together; default data-center",
)
@click.option(
    "--devices-most",
    type=click.IntRange(1, 8),
    default=8,
    show_default=True,
    help="most devices of a replica, where --to does not fix them",
)
@click.option(
    "--catalogue",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="own devices and prices, laid over those that come with pinchpoint",
)
@click.option("--list-devices", is_flag=True, help="the devices of --to (else all) with their figures, and end")
@click.option("--list-models", is_flag=True, help="the published models, and end")
@click.option(
    "--assumptions", type=click.Path(path_type=Path), default=None, metavar="FILE.toml", help="of money and power"
)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="one assumption: life_years=3, PUE=1.2")
@click.option(
    "--criterion", type=click.Choice(tuple(CRITERIA)), default="owned", show_default=True, help="what is best"
)
@click.option(
    "--point", default=None, metavar="WORDS", help="which point of STORE; default: its largest model's decode"
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(("table", "md", "csv", "json", "jsonl")),
    default="table",
    show_default=True,
    help="what is printed on stdout",
)
@click.option(
    "--output-dir", type=click.Path(path_type=Path), default=None, metavar="FOLDER", help="write project.html there"
)
@click.option(
    "--rfp",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FOLDER",
    help="write an acceptance pack there, for the best option or of STORE's point: what a vendor runs, and its limits",
)
@click.option(
    "--factor",
    type=float,
    default=1.0,
    show_default=True,
    help="how many times as good as projected, or as STORE, --rfp asks for",
)
@click.option("--overwrite", is_flag=True, help="replace the pack that --rfp finds there")
@click.option("--draws", type=click.IntRange(100, 20_000), default=2000, show_default=True, help="of each quantity")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="of the draws")
def command(stores: tuple[str, ...], **flags: Any) -> int:
    """Find which hardware to buy or rent: does it fit, how fast, how many, what power, what cost, and how sure.

    For a model by name, or for what STOREs hold: folders of sweeps, .sqlite files, URLs, or exports. With both, their
    measurements of the devices at hand count beside the published ones that come with pinchpoint.
    """
    from bench.commands import _project, _project_output

    if flags["list_models"]:
        return _project_output.list_models()
    if flags["list_devices"]:
        return _project_output.list_devices(flags["catalogue"], flags["to"])
    if not stores and flags["model"] is None:
        raise UserError(
            "No model is named.", "Give --model, such as llama-3.1-8b (all: --list-models), or a STORE with records."
        )
    asked = _project.read(stores, flags, CRITERIA[flags["criterion"]])
    answer = _project.answered(asked, flags["draws"], flags["seed"])
    try:
        if flags["rfp"] is not None:
            _project_output.write_pack(flags["rfp"], answer, asked, flags["factor"], overwrite=flags["overwrite"])
        if flags["output_dir"] is not None:
            _project_output.write_page(flags["output_dir"], answer, asked)
    except UserError:
        # a full disk must not cost the answer, nor a reader of the first lines alone (`| head`) the page
        _project_output.show(answer, asked, flags["output"])
        raise
    return _project_output.show(answer, asked, flags["output"])
