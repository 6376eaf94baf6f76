"""The house keeps to its map: who imports whom, what is light to import, and how files are called."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from visavis import kinds
from visavis.analysers import ANALYSERS
from visavis.commands import COMMANDS
from visavis.detectors import DETECTORS, OTHER_FILES
from visavis.evaluation.protocols import PROTOCOLS
from visavis.prediction.formats import FORMATS

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = {path.stem for path in ROOT.glob("*.py")}
OURS = {"benchmarks", "clean", "dataset", "demo", "download", "tests", "visavis"} | SCRIPTS

# Who may import what, by the first part of the importing module. How commands are run, and what they raise and say,
# is for all.
FOR_ALL = ("visavis.commands.commandline", "visavis.errors", "visavis.messages", "visavis.options")
MAY: dict[str, set[str]] = {
    "train": {"dataset", "visavis"},
    "evaluate": {"dataset", "visavis"},
    "predict": {"visavis"},
    "serve": {"visavis"},
    "download": {"download", "dataset.tables", "visavis.images", "visavis.cores", "visavis.locking", "visavis.workers"},
    "clean": {"clean", "dataset.tables", "visavis"},
    "dataset": {"dataset", "visavis"},
    "visavis": {"visavis"},
}

# Inside visavis, from the top down: a module may import its own storey and those below.
STOREYS = [
    {"visavis", "__main__", "commands", "export", "slim", "cascade"},  # __init__ itself gathers the public names
    {"library"},
    {"live"},
    {"people"},
    {"prediction", "evaluation"},
    {"detectors", "analysers", "kinds", "training"},
    {"data"},
    {"effects", "charts"},
    {"calibration", "checkpoint", "onnx_files", "metrics", "drawing", "page", "sources", "reduced_photos"},
    {"video", "rewriting"},
    {"faces", "keypoints"},
    {"boxes", "colours", "cut_off", "images"},
    # These know neither faces nor models.
    {"cores", "device", "extras", "files", "formats", "journal", "locking", "options", "ranges", "texts", "workers"},
    {"errors", "messages"},
]

LIGHT = (
    "import visavis",
    "import dataset.tables",
    "import dataset.split",
    "import download.lists, download.images",
    "from visavis import device; assert device.named('cpu') == ('cpu', 'cpu (as asked)')",
)


def modules() -> Iterator[tuple[str, Path]]:
    """Dotted name -> file of all our Python, tests left out."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in OURS and parts[0] != "tests":
            yield ".".join(part for part in parts if part != "__init__"), path


@cache
def tree(path: Path) -> ast.Module:
    """What is in a file; each is read once for all tests."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, package: str) -> Iterator[str]:
    """Every module of ours that the file imports, at the top or in a function; `from a import b` gives a.b if
    that is a module. `package` is what relative imports start from. A text that is the dotted name of a module, or
    `module:name`, is an import that waits.
    """
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = node.value.partition(":")[0]
            ours = "." in named and named.split(".")[0] in OURS and _is_module(named)
            if ours and ROOT / (named.replace(".", "/") + ".py") != path:  # its own name starts it once more
                yield named
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            names = [f"{base}.{alias.name}" if _is_module(f"{base}.{alias.name}") else base for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in OURS)


def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


@cache
def arrows() -> tuple[tuple[str, str], ...]:
    """(importer, imported), both dotted names."""
    return tuple(
        (name, imported)
        for name, path in modules()
        for imported in imports(path, name if path.name == "__init__.py" else name.rpartition(".")[0])
    )


def test_who_imports_whom() -> None:
    found = arrows()
    assert ("train", "dataset.subjects") in found and (
        "clean.inspection",
        "visavis.images",
    ) in found  # the reader reads
    wrong = [
        f"{name} imports {imported}"
        for name, imported in found
        if (rule := MAY.get(name.split(".")[0])) is not None
        and not any(within(imported, one) for one in FOR_ALL)
        and not any(within(imported, allowed) for allowed in rule)
    ]
    assert not wrong


def test_nothing_imports_the_demo_the_scripts_or_the_benchmarks() -> None:
    wrong = [
        f"{name} imports {imported}"
        for name, imported in arrows()
        if imported.split(".")[0] in {"demo", "benchmarks", "tests"} | SCRIPTS
        and name.split(".")[0] not in {"demo", "benchmarks"}
    ]
    assert not wrong


def test_the_storeys_of_visavis() -> None:
    storey = {name: number for number, names in enumerate(STOREYS) for name in names}
    inside = {name.split(".")[1] for name, _ in modules() if name.startswith("visavis.")}
    assert inside <= storey.keys(), f"give {inside - storey.keys()} a storey in this test, and in the map"

    def level(name: str) -> int:
        return storey[name.split(".")[1] if "." in name else "visavis"]

    wrong = [
        f"{name} imports {imported}"
        for name, imported in arrows()
        if within(name, "visavis") and imported.startswith("visavis.") and level(imported) < level(name)
    ]
    assert not wrong
    inside = [name for name, imported in arrows() if name.startswith("visavis.") and imported == "visavis"]
    assert not [name for name in inside if level(name)]


def test_the_map_has_every_folder_and_module() -> None:
    registries = DETECTORS, OTHER_FILES, ANALYSERS, kinds.KINDS, FORMATS, PROTOCOLS
    places = [place for registry in registries for place in registry.values()]
    places += [place for place, _ in COMMANDS.values()]
    registered = {place.partition(":")[0].replace(".", "/") + ".py" for place in places}
    there = {path.relative_to(ROOT).as_posix() for name, path in modules() if within(name, "visavis")}
    modules_there = {name for name in there if not name.endswith("__init__.py")}
    folders = {name.rpartition("/")[0] for name in there} | {"visavis/weights", "visavis/live/page"}

    page = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
    _, *parts = re.split(r"\*\*`(visavis[^`]*)/`\*\*", page)
    on_it = dict(zip(parts[::2], parts[1::2], strict=True))
    named = {f"{folder}/{name}" for folder, text in on_it.items() for name in re.findall(r"`(\w+\.py)`", text)}
    assert on_it.keys() == folders
    assert modules_there - registered - named == set(), "add these to docs/map.md"
    assert named - modules_there == set(), "docs/map.md has these, and visavis has not"


def test_no_module_needs_itself() -> None:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, imported in arrows():
        sorter.add(name, imported)
    sorter.prepare()  # raises CycleError, which names them


def test_a_file_is_named_after_its_idea() -> None:
    nothing = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}
    assert not [name for name, _ in modules() if nothing & set(name.split("."))]


def test_every_module_says_what_it_is_for() -> None:
    assert not [name for name, path in modules() if not ast.get_docstring(tree(path))]


def test_light_imports_load_no_torch() -> None:
    heavy = "{'torch', 'torchvision', 'matplotlib', 'face_recognition', 'pandas', 'dlib'} & sys.modules.keys()"
    program = "import sys\n" + "".join(f"{code}\nassert not {heavy}, {code!r}\n" for code in LIGHT)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_reader_of_imports_reads_names_in_registries() -> None:
    assert ("visavis.detectors", "visavis.detectors.opencv_haar") in arrows()
    assert ("visavis.kinds", "visavis.detectors.faster_rcnn.kind") in arrows()
    assert ("visavis.evaluation.protocols", "visavis.evaluation.protocols.fddb") in arrows()


def test_no_name_of_a_module_to_import_is_put_together() -> None:
    """Such an import could not be read, and might close a circle."""
    wrong = [
        f"{name} line {node.lineno}"
        for name, path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("import_module", "__import__")
        and isinstance(node.args[0], ast.JoinedStr | ast.BinOp)
    ]
    assert not wrong


def test_the_library_does_not_know_the_command_line() -> None:
    inside = [(name, imported) for name, imported in arrows() if name.startswith("visavis.")]
    known = {"visavis.commands", "visavis.__main__", "visavis.export", "visavis.slim", "visavis.cascade"}
    wrong = [
        f"{name} imports {imported}"
        for name, imported in inside
        if within(imported, "visavis.commands") and not any(within(name, one) for one in known)
    ]
    assert not wrong


def test_errors_of_the_library_name_parameters_and_not_options() -> None:
    """`main` of the commands adds the dashes. A whole command that is to be typed, such as train.py --arch NAME, has
    them."""
    wrong = [
        f"{name} line {node.lineno}"
        for name, path in modules()
        if name.startswith("visavis.") and not within(name, "visavis.commands")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        if ast.unparse(node.exc.func) in ("InputError", "ImageError", "ValueError")
        for text in ast.walk(node)
        if isinstance(text, ast.Constant) and re.search(r"(?<!\.py) --[a-z]", f" {text.value}")
    ]
    assert not wrong


def test_a_script_in_the_root_ends_no_process() -> None:
    assert not [path.name for path in ROOT.glob("*.py") if "_exit(" in path.read_text(encoding="utf-8")]
