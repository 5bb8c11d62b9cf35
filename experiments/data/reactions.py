"""Molecules that are joined and cut by rules, as SMILES. RDKit reads and writes them.

>>> joined("CC(=O)O", "CN")
'CNC(C)=O'
>>> cuts("CNC(C)=O")
{'CC(=O)O.CN'}

A cut goes back from a product to what it is made of: an amide to an acid and an amine, an ester to an acid and an
alcohol, a sulfonamide to a sulfonyl chloride and an amine, an aryl ether to a phenol and a bromide, an amine to an
amine and an aldehyde (reductive amination), a thioether to a thiol and a bromide.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tracking.errors import DataError

CUTS = (  # reaction SMARTS; !@ is a bond outside of rings, so a cut makes two molecules
    "[CX3:1](=[O:2])!@[NX3;H0,H1;$(N[#6]):3]>>[C:1](=[O:2])O.[N:3]",
    "[CX3:1](=[O:2])!@[OX2:3][#6:4]>>[C:1](=[O:2])O.[O:3][#6:4]",
    "[SX4:1](=[O:2])(=[O:3])!@[NX3;H0,H1:4]>>[S:1](=[O:2])(=[O:3])Cl.[N:4]",
    "[c:1]!@[OX2:2]!@[CX4:3]>>[c:1][O:2].Br[C:3]",
    "[NX3;!$(N-C=[O,S,N]);!$(N-S=O):1]!@[CH2;$(C[#6]):2]>>[N:1].O=[C:2]",
    "[#6:1]!@[SX2:2]!@[CX4:3]>>[#6:1][S:2].Br[C:3]",
)
AMIDE, ESTER = (  # acid and amine, acid and alcohol
    "[CX3:1](=[O:2])[OX2H1].[NX3;H1,H2;!$(N-C=[O,S,N]);!$(N-S=O);!$(N-[!#6;!#1]):3]>>[C:1](=[O:2])[N:3]",
    "[CX3:1](=[O:2])[OX2H1].[OX2H1:3][CX4:4]>>[C:1](=[O:2])[O:3][C:4]",
)
GROUPS = {  # what a building block has exactly once
    "acid": "[CX3](=O)[OX2H1]",
    "amine": "[NX3;H1,H2;!$(N-C=[O,S,N]);!$(N-S=O);!$(N-[!#6;!#1])]",
    "alcohol": "[OX2H1][CX4]",
}
MOST_ATOMS = 16  # of a building block, without hydrogen
LICENCE = "BSD, as RDKit, whose compounds of the NCI are taken"


@functools.cache
def _rdkit() -> Any:
    """The part of RDKit that is used. Raises DataError without it."""
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdChemReactions
    except ModuleNotFoundError:
        raise DataError("source: molecules need RDKit; pip install 'recurrent-search[chem]'") from None
    rdBase.DisableLog("rdApp.*")  # a molecule that cannot be read is left out, not reported
    return Chem, rdChemReactions.ReactionFromSmarts


def version() -> str:
    """Of RDKit. Another one may write molecules in another way."""
    from importlib.metadata import version

    _rdkit()
    return version("rdkit")


@functools.cache
def _rule(smarts: str) -> Any:
    return _rdkit()[1](smarts)


def canonical(smiles: str) -> str:
    """The one way in which RDKit writes these molecules, in order; "" for no molecule."""
    chem, _ = _rdkit()
    molecule = chem.MolFromSmiles(smiles)
    return ".".join(sorted(chem.MolToSmiles(molecule).split("."))) if smiles and molecule else ""


def _products(rule: str, *molecules: Any) -> Iterator[list[str]]:
    """What the reaction makes of molecules, each product canonical; none that is no molecule."""
    for several in _rule(rule).RunReactants(molecules):
        made = [canonical(_rdkit()[0].MolToSmiles(one)) for one in several]
        if all(made):
            yield made


def cuts(product: str) -> set[str]:
    """All sets of reactants that the rules make of a product, each with its molecules in order, joined by a dot."""
    molecule = _rdkit()[0].MolFromSmiles(product)
    return {".".join(sorted(made)) for rule in CUTS for made in _products(rule, molecule)}


def taken_apart(molecules: Iterable[str], count: int) -> list[tuple[str, str]]:
    """(product, reactants) of the first `count` molecules that exactly one cut fits, 0 for all; each product once."""
    found: dict[str, str] = {}
    for molecule in molecules:
        product = canonical(molecule)
        if product and len(several := cuts(product)) == 1:
            found[product] = several.pop()
            if len(found) == count:
                break
    return list(found.items())


def joined(acid: str, other: str) -> str:
    """The amide or the ester of an acid with an amine or an alcohol; "" unless exactly one is possible."""
    chem, _ = _rdkit()
    molecules = chem.MolFromSmiles(acid), chem.MolFromSmiles(other)
    made = {one for rule in (AMIDE, ESTER) for (one,) in _products(rule, *molecules)}
    return made.pop() if len(made) == 1 else ""


@functools.cache
def blocks() -> dict[str, list[str]]:
    """The acids, amines and alcohols among the compounds of the NCI that RDKit brings, in order, each once.

    They have one such group, no charge, at most 16 atoms, and nothing that a rule would cut.
    """
    chem, _ = _rdkit()
    from rdkit import RDConfig

    groups = {name: chem.MolFromSmarts(smarts) for name, smarts in GROUPS.items()}
    found: dict[str, list[str]] = {name: [] for name in groups}
    for line in (Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi").read_text("utf-8").splitlines():
        molecule = chem.MolFromSmiles(line.split()[0])
        if molecule is None or molecule.GetNumHeavyAtoms() > MOST_ATOMS or "." in line.split()[0]:
            continue
        having = [name for name, group in groups.items() for _ in molecule.GetSubstructMatches(group)]
        smiles = chem.MolToSmiles(molecule)
        if len(having) == 1 and "+" not in smiles and "-]" not in smiles and not cuts(smiles):
            found[having[0]].append(smiles)
    return {name: sorted(set(some)) for name, some in found.items()}


def library(acids: Sequence[str], others: Sequence[str], count: int, seed: int) -> list[tuple[str, str]]:
    """(product, reactants) of at most `count` pairs of an acid with an amine or an alcohol, drawn without repetition.

    A product whose cut is not unique is left out.
    """
    pairs = list(itertools.product(acids, others))
    found: dict[str, str] = {}
    for place in np.random.default_rng(seed).permutation(len(pairs)):
        if len(found) >= count:
            break
        product, reactants = joined(*pairs[place]), ".".join(sorted(pairs[place]))
        if product and cuts(product) == {reactants}:
            found[product] = reactants
    return list(found.items())
