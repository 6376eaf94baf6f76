"""What OpenVINO makes of a network, kept in the user's cache: the next time it takes a quarter of the time.

OpenVINO has a cache of its own, which takes a file that was damaged for whole as long as its head is, and then frames
faces otherwise. Here each file begins with the SHA-256 of what follows.
"""

import contextlib
import hashlib
import io
import json
from pathlib import Path
from typing import Any

from visavis import onnx_files
from visavis.checkpoint import fingerprint
from visavis.files import replaced

MOST = 8
"""Files that are kept, of 8 to 25 MB; those that were used longest ago go."""
DIGEST = hashlib.sha256().digest_size


def compiled(core: Any, file: Path, settings: dict[str, Any]) -> Any:
    """The network of an ONNX file as an `openvino.CompiledModel`, out of the cache where it is there. Where nothing can
    be kept, it is compiled each time."""
    kept = onnx_files.cache() / "openvino" / f"{_name(core, file, settings)}.blob"
    data = _read(kept)
    if data is not None:
        with contextlib.suppress(RuntimeError):  # an OpenVINO that has the same version, and yet cannot use it
            return core.import_model(io.BytesIO(data), "CPU", settings)
    network = core.compile_model(file, "CPU", settings)
    with contextlib.suppress(OSError):
        _write(kept, network.export_model().getvalue())
    return network


def _name(core: Any, file: Path, settings: dict[str, Any]) -> str:
    """Another one for all that it depends on."""
    import openvino

    processor = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    described = json.dumps([openvino.__version__, processor, fingerprint(file), settings], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


def _read(kept: Path) -> bytes | None:
    """What was kept; None where it is not there, or not whole."""
    try:
        data = kept.read_bytes()
        kept.touch()  # it was used
    except OSError:
        return None
    return data[DIGEST:] if hashlib.sha256(data[DIGEST:]).digest() == data[:DIGEST] else None


def _write(kept: Path, data: bytes) -> None:
    with replaced(kept, "wb", durable=False) as file:
        file.write(hashlib.sha256(data).digest())
        file.write(data)
    files = sorted(kept.parent.glob("*.blob"), key=lambda path: path.stat().st_mtime)
    for path in files[:-MOST]:
        path.unlink(missing_ok=True)
