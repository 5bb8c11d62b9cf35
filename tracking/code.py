"""The code of a user's task among the artifacts of its search's run. The settings of the search have its sha256."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from tracking.errors import StoreError
from tracking.root import inside, resolved
from tracking.store import database, in_a_line

FOLDER = PurePosixPath("task")  # of the run's artifacts


def log_code(client: MlflowClient, parent: Run, folder: Path, names: Iterable[str]) -> None:
    """Logs files of a folder, unless the run keeps its files outside of its store. A second call changes nothing."""
    file = database(client.tracking_uri)
    if file and not inside(file, parent.info.artifact_uri):
        return
    for name in names:
        _files(client, parent).log_artifact(str(folder / name), str((FOLDER / name).parent))


def download_code(client: MlflowClient, parent: Run, names: Iterable[str], to: Path) -> Path:
    """Writes the files to a folder below `to`, and returns that folder. Raises StoreError if a file is not there."""
    for name in names:
        try:
            _files(client, parent).download_artifacts(str(FOLDER / name), str(to))
        except (MlflowException, OSError) as error:
            expected = f"export: expected the task's file {name} among the artifacts of the search, got none"
            raise StoreError(f"{expected} ({in_a_line(error)})") from None
    return to / FOLDER


def _files(client: MlflowClient, parent: Run) -> ArtifactRepository:
    place = resolved(database(client.tracking_uri), parent.info.artifact_uri)
    return get_artifact_repository(place, tracking_uri=client.tracking_uri)
