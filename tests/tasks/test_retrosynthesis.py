"""Retrosynthesis: molecules that are made of two building blocks, and reactions from patents."""

import gzip
import hashlib
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from support import downloads
from support.downloads import Server
from support.wheels import packed

from experiments.cli.commands.tasks import entries, table
from experiments.data import moses, reactions, uspto
from experiments.data.packages import Member
from experiments.data.published import File
from experiments.tasks import retrosynthesis
from experiments.tasks.base import SPLITS
from experiments.tasks.retrosynthesis import Retrosynthesis
from tracking.errors import BadInput, DataError

pytest.importorskip("rdkit", reason="the extra chem is not installed")

server = downloads.server  # the fixture

SMALL = {"train": 120, "val": 60, "test": 60}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "cache"))


def atoms(smiles: str) -> Counter[str]:
    """The atoms of some molecules, hydrogen included, counted by RDKit's own formula."""
    from rdkit.Chem import MolFromSmiles
    from rdkit.Chem.rdMolDescriptors import CalcMolFormula

    found: Counter[str] = Counter()
    for one in smiles.split("."):
        for name, count in re.findall(r"([A-Z][a-z]?)(\d*)", CalcMolFormula(MolFromSmiles(one))):
            found[name] += int(count or 1)
    return found


WATER = Counter({"H": 2, "O": 1})


def test_a_product_and_water_have_the_atoms_of_the_blocks() -> None:
    """The independent check of the rules: an acid and an amine or alcohol give a product, and lose water."""
    for name in SPLITS:
        for source, target in Retrosynthesis(**SMALL).pairs(name, 0, 0):
            product, blocks = "".join(source), "".join(target)
            assert atoms(product) + WATER == atoms(blocks), (product, blocks)
            assert blocks.count(".") == 1 and reactions.canonical(blocks) == blocks
            assert reactions.canonical(product) == product


def test_no_block_of_one_split_is_in_another() -> None:
    task = Retrosynthesis(**SMALL)
    blocks = {
        name: {block for _, target in task.pairs(name, 0, 0) for block in "".join(target).split(".")} for name in SPLITS
    }
    assert not blocks["train"] & blocks["val"] and not blocks["train"] & blocks["test"]
    assert not blocks["val"] & blocks["test"] and len(blocks["train"]) > 80


@pytest.mark.parametrize(
    ("product", "found"),
    [
        ("CNC(C)=O", {"CC(=O)O.CN"}),  # an amide
        ("CCOC(C)=O", {"CC(=O)O.CCO"}),  # an ester
        ("CNS(C)(=O)=O", {"CN.CS(=O)(=O)Cl"}),  # a sulfonamide
        ("COc1ccccc1", {"CBr.Oc1ccccc1"}),  # an aryl ether
        ("CSc1ccccc1", {"CBr.Sc1ccccc1"}),  # a thioether
        ("CCN(C)C", {"CC=O.CNC"}),  # an amine by reductive amination
        ("CCNCC", {"CC=O.CCN"}),  # the same from both sides
        ("O=C1CCCN1", set()),  # a cut in a ring makes one molecule
        ("CCO", set()),
        ("CNC(=O)C(C)OC(C)=O", {"CC(=O)OC(C)C(=O)O.CN", "CC(=O)O.CNC(=O)C(C)O"}),  # two cuts
    ],
)
def test_the_rules_by_hand(product: str, found: set[str]) -> None:
    assert reactions.cuts(product) == {reactions.canonical(one) for one in found}


def test_what_is_written_is_compared_as_molecules() -> None:
    """Of two answers one is right in another spelling, and one is no molecule."""
    task = Retrosynthesis(train=120, val=2, test=2)
    first, second = task.answers("val", 0)
    (_, target), _ = task.pairs("val", 0, 0)
    turned = ".".join(reversed("".join(target).split(".")))
    spelled = task.ids_of_target(re.findall(r"\[[^\]]+\]|Br|Cl|.", turned))
    ring = task.ids_of_target(["C", "1"])
    found = task.samples(lambda x, beam: [[spelled, first[0]], [ring, *second]], 0)
    assert (found["exact_of_beam_5"], found["top_1"], found["top_5"], found["valid"]) == (0, 0.5, 1, 0.5)


def test_floors_by_counting() -> None:
    task = Retrosynthesis(**SMALL, longest=200)
    floors, everything = task.floors(), Retrosynthesis(train=10, val=0, test=10, longest=200)
    pairs = len(everything.pairs("val", 0, 0))
    assert floors["no_memory"] == pytest.approx(1 / pairs, rel=0.1) and floors["one_block"] > 10 * floors["no_memory"]


def test_reactions_from_patents(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {"sources": "<RX_1> C C ( = O ) N C\n<RX_7> C Br\n", "targets": "C C ( = O ) O . C N\nC Cl\n"}
    bodies = {f"{name}_{side}": text.encode() for name in ("train", "valid", "test") for side, text in lines.items()}
    files = {}
    for name, body in bodies.items():
        server.body, known = body, hashlib.sha256(body).hexdigest()  # the server has one file at a time
        files[name] = File(name, server.url, known)
        uspto._lines(files[name])
    monkeypatch.setattr(uspto, "FILES", files)
    task = Retrosynthesis(source="uspto-50k", train=0, val=0, test=0)
    found = [("".join(source), "".join(target)) for source, target in task.pairs("val", 0, 0)]
    assert found == [("CC(=O)NC", "CC(=O)O.CN"), ("CBr", "CCl")]
    classed = Retrosynthesis(source="uspto-50k", classes=True, train=0, val=0, test=0)
    assert classed.pairs("test", 0, 0)[1] == (["<RX_7>", "C", "Br"], ["C", "Cl"])
    assert task.solved is None and "Apache" in task.licence and set(task.floors()) == {"constant", "nearest"}


MOLECULES = {  # one cut, none, two, one that is no molecule, one cut of another kind
    "train": ["CNC(C)=O", "CCO", "CNC(=O)C(C)OC(C)=O", "C(", f"{'C' * 20}OC(C)=O", "COc1ccccc1"],
    "test": [f"{'C' * size}OC(C)=O" for size in range(1, 20)],
}


def moses_of(monkeypatch: pytest.MonkeyPatch, folder: Path, molecules: dict[str, list[str]]) -> None:
    """Puts a package of the same form in the place of the real one."""
    for name, lines in molecules.items():
        content = gzip.compress("\n".join(["SMILES", *lines, ""]).encode())
        monkeypatch.setitem(moses.SHA256, name, hashlib.sha256(content).hexdigest())
        packed(folder / "wheels", Member(moses.PACKAGE, f"moses/dataset/data/{name}.csv.gz"), content, monkeypatch)
    retrosynthesis._cut.cache_clear()


def test_molecules_of_moses_are_taken_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moses_of(monkeypatch, tmp_path, MOLECULES)
    task = Retrosynthesis(source="moses", train=0, val=0, test=0)
    pairs = {name: [("".join(one), "".join(other)) for one, other in task.pairs(name, 0, 0)] for name in SPLITS}
    assert pairs["train"] == [
        ("CNC(C)=O", "CC(=O)O.CN"),
        (f"{'C' * 20}OC(C)=O", f"CC(=O)O.{'C' * 20}O"),
        ("COc1ccccc1", "CBr.Oc1ccccc1"),
    ]
    products = {name: {product for product, _ in found} for name, found in pairs.items()}
    assert len(products["val"]) > 3 and len(products["test"]) > 3 and not products["val"] & products["test"]
    assert len(Retrosynthesis(source="moses", train=2, val=0, test=0).pairs("train", 0, 0)) == 2
    assert task.solved == 0.8 and "MIT" in task.licence and set(task.floors()) == {"constant", "nearest"}


def test_molecules_have_no_classes() -> None:
    with pytest.raises(BadInput, match="^classes: expected false with source=moses, which has no classes, got true$"):
        Retrosynthesis(source="moses", classes=True)


def test_molecules_that_nobody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moses_of(monkeypatch, tmp_path, MOLECULES)
    monkeypatch.setattr(moses, "PACKAGE", "molsets==9.9")
    line = "moses.train.csv.gz: expected to download it from a package, got no molsets==9.9 from pip; put the file at "
    with pytest.raises(DataError, match=f"^{re.escape(line)}.*by hand$"):
        Retrosynthesis(source="moses").split("train", 0)


def test_molecules_in_a_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moses_of(monkeypatch, tmp_path, MOLECULES)
    path = tmp_path / "cache" / "downloads" / "moses.train.csv.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"SMILES\nCC\n")[:-9])
    monkeypatch.setitem(moses.SHA256, "train", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match=r"^source: expected molecules in .*, got a broken file$"):
        Retrosynthesis(source="moses").split("train", 0)


def test_the_files_are_those_that_were_counted() -> None:
    assert len(uspto.FILES) == 6 and len({file.sha256 for file in uspto.FILES.values()}) == 6
    assert sum(file.size or 0 for file in uspto.FILES.values()) == 9_999_076


def test_without_rdkit_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    reactions._rdkit.cache_clear()
    reactions.blocks.cache_clear()
    monkeypatch.setitem(sys.modules, "rdkit", None)
    line = "source: molecules need RDKit; pip install 'recurrent-search[chem]'"
    with pytest.raises(DataError, match=f"^{re.escape(line)}$"):
        Retrosynthesis(train=7).split("train", 0)
    (entry,) = entries(["retrosynthesis"])
    assert entry["missing"] == line and table([entry]).endswith(f"knob: -o longest=60   exact; {line}")
    reactions._rdkit.cache_clear()
