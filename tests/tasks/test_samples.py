"""The first 64 samples of every generated task for seed 0: what is measured on a task belongs to these data."""

import pytest

from experiments.tasks.loading import find
from experiments.tasks.loading.digest import digest_of

SHA256 = {
    "adding variant=anywhere": "440c821567da35088047299307eaff0f3de70e72649d25ac2bd9a021dd955983",
    "adding": "a56e6820ce1320ea9e987ae80c0a4a9268c3a7ed99ada63a1117793aab52c755",
    "associative_recall": "b080def163cc3a05fb3f54e98e6ca134219ee9c504b641be89877049183921d1",
    "copy_memory variant=tcn": "facc9f3e19b42c29112025b2cd4858526f4441fe2292e5a4231e9757cda34474",
    "copy_memory variant=variable": "3b351a56de1a886759e57cfae3309c8c427b33af945f50e91637bdeed7f4634f",
    "copy_memory": "e6916796f49d590488f3f9aea12bfd29d5560801c11ba3f2b5027ea48f303df5",
    "delayed_recall": "3c8bd9af44396e0c993e4c69d2fb26a9a812c05c6ef939025c8bc20e9c83b1b4",
    "dynamic_ngrams": "2df369313b0cd08ace56baeb00f4e173cc39cd4ecd2e503c8f4adba946057abb",
    "dyck": "298bf962abf27bd7ca0e3e44774d2a6cbb66ada5de6772673e5e239cbdfb8951",
    "listops": "f3e17083825323f17cbd21897d1f780ebb18441f53067540aab734801ecc804b",
    "mqar": "7f0d30260cf3ec846ffb10c703fe4f5cd4a5b474246f8d1247261cba3646432e",
    "nback": "aa9fcc28fed436bbfa75520af661715db57a2ab4724814356e8b8b894bbfd015",
    "ntm_copy": "dc2f80da9b5db74cd0970a5b0572ad7a5ec21b7dea659c621ac9acaa0e6bbf62",
    "parity": "fb3f59c46794273e1dc4d81552666fd112642da836b2a8eb7e5645c51d82adaa",
    "priority_sort": "f934559f9bb7d275ccd84306adee0621bec4905de47aa6c2db47397cceda1749",
    "reber": "fd063bafd154531db9a687ee76639c816b769845bcb4292a4697b6bdbec856b6",
    "repeat_copy": "98937107c2a8027db1b61d956ee33e074c6d5a69b6c737b5cef292db32180e5d",
    "selective_copy": "f9e717692499e219aecccd5bd9a21a95e5735016d3cb4d559c59e397f596a255",
    "translate": "a5aa1633e4c16ecdb8cf91c255775cbb629dc1967da4f0f1211e633b3560bb0c",
    "temporal_order": "46ff5ce9afc4e0fdc6b82c8f93306e3bfd2c6522a645f3151c0a53f85ede8d7b",
}


def test_every_generated_task_is_here() -> None:
    generated = {name for name in find.names() if not find.task_class(name).finite_data}
    new = {name: first_samples(name) for name in generated - {key.split()[0] for key in SHA256}}
    assert not new, "add these lines to SHA256"
    assert {key.split()[0] for key in SHA256} == generated


def first_samples(name: str, *options: str) -> str:
    """The digest of the first 64 training samples."""
    task = find.make(name, {"train": "64", **dict(option.split("=") for option in options)})
    return digest_of([task.split("train", 0)])


@pytest.mark.parametrize("what", SHA256)
def test_the_first_samples(what: str) -> None:
    assert first_samples(*what.split()) == SHA256[what]
