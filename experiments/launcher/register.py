"""Registers the model of a search: from its name in the record to a version in MLflow's registry."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracking.registry import Registered


def register_search(
    name: str, uri: str, model: str, alias: str, force: bool, warn: Callable[[str], None]
) -> "Registered":
    """Makes a version of what an export of the search would take.

    Args:
        name, uri: of the search and its store.
        model, alias: of the registered model.
        force: give it the alias in any case.
        warn: is told if a better model is not kept.

    Raises as `tracking.export.handed_over` and `tracking.registry.register` do.
    """
    from tracking.choosing import BEST
    from tracking.export import handed_over
    from tracking.model_files import download
    from tracking.registry import register
    from tracking.searches import existing_search
    from tracking.store import working

    client, search = existing_search(name, uri)
    with working(uri), TemporaryDirectory() as folder:
        found, _ = handed_over(client, search, BEST, warn)
        _, card = download(client, uri, found, Path(folder))
        test = client.get_run(card["run_id"]).data.metrics.get(f"test/{card['metric']}")
        return register(client, found, {**card, "search": name, "test_score": test}, model, alias, force)
