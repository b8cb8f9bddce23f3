"""What a device's memory leaves for a model: less than its name says, by what chips, driver and system keep."""

from reports.datasheets import Device

GIB = 2**30

#: NVIDIA's driver keeps this much of what nvidia-smi reports: CUDA sees 79.1 to 79.2 GiB of an H100 (80) and of an A100
#: (80.0), 39.4 to 39.6 of 40, 23.65 to 23.69 of 24, 15.70 of 16 (RTX 4080), 7.7 to 7.8 of 8 (error messages of PyTorch
#: and logs of vLLM in public issues). An H100's and an H200's own missing 0.4 and 0.6 GiB are in it.
NVIDIA_SHARE, NVIDIA_B = 0.01, 0.1 * GIB
#: Cards of data centres with GDDR6 keep check bits in the memory itself, one byte of sixteen: an L40S reports 46068
#: MiB, an L4 23034, an A10 23028, a T4 15360 (github.com/modal-labs/modal-client/pull/2797).
CHECK_BITS_SHARE = 1 / 16
CHECK_BITS = frozenset({"NVIDIA T4", "NVIDIA A10", "NVIDIA A40", "NVIDIA L4", "NVIDIA L40", "NVIDIA L40S"})
#: ROCm sees 191.7 to 192.0 GiB of an MI300X and 23.98 of an RX 7900 XTX.
AMD_SHARE = 0.002
#: JAX sees 15.75 GiB of a TPU v5e's 16, Intel's driver 94.6 of a Gaudi 2's 96: taken for all others too.
OTHER_SHARE = 0.02
#: What macOS lets the GPU hold unless `iogpu.wired_limit_mb` is raised: Metal recommends 5461 MiB of 8 GiB, 10923 of 16
#: and 21845 of 32 (two thirds), 49152 MiB of 64 and 73728 of 96 (three quarters). macOS 26 was seen to give more.
APPLE_SMALL, APPLE_LARGE, APPLE_LARGE_FROM_B = 2 / 3, 3 / 4, 36 * GIB
#: Of other memory that a processor shares: an NVIDIA GB10 of 128 GB reports 119.7 GiB, and the system lives in it too.
SHARED_SHARE = 0.1
#: A desktop and its browser on a card with a display; a guess from the few hundred MB that nvidia-smi shows on such.
DISPLAY_B = 0.5 * GIB
#: A server has the memory that is put in. Where the catalogue or the user names none, so much of it, and it is said.
PUT_IN_B = 2**40


def is_put_in(device: Device) -> bool:
    """Whether the device's memory is what somebody puts in, and nobody said how much."""
    return device.kind == "processor" and (device.memory is None or device.memory.size_B is None)


def offered_B(device: Device, headless: bool = False) -> float | None:
    """Bytes that programs get of one device; None where its size is not known, but for a processor (`PUT_IN_B`).

    `headless`: no display hangs on it. Only consumer cards are taken to have one.
    """
    if is_put_in(device):
        return PUT_IN_B * (1 - SHARED_SHARE)
    if device.memory is None or device.memory.size_B is None:
        return None
    size = float(device.memory.size_B)
    if device.vendor == "Apple":
        return size * (APPLE_LARGE if size >= APPLE_LARGE_FROM_B else APPLE_SMALL)
    if device.kind in ("system", "soc", "processor"):
        return size * (1 - SHARED_SHARE)
    if device.name in CHECK_BITS:
        size *= 1 - CHECK_BITS_SHARE
    display = DISPLAY_B if device.kind == "consumer" and not headless else 0.0
    if device.vendor == "NVIDIA":
        return size * (1 - NVIDIA_SHARE) - NVIDIA_B - display
    return size * (1 - (AMD_SHARE if device.vendor == "AMD" else OTHER_SHARE)) - display
