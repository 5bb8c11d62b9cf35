"""Optuna's dashboard on the study of one search. It reads the study and never writes to it."""

import json
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study._frozen import FrozenStudy

from experiments.config.folders import SearchFolder, no_search
from experiments.strategy.study import NAME
from tracking.errors import BadInput, SearchStateError

METRIC_NAMES = "study:metric_names"  # where Optuna's Study.set_metric_names keeps them
HOST = "127.0.0.1"


class _Journal(JournalFileBackend):
    """Optuna's journal, for reading alone. A change in the dashboard would reach the workers of the search."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        raise PermissionError("the study of a search is read-only here")


class StudyStorage(JournalStorage):
    """The study of a search, with the names of the search and of its metric.

    In the journal every study is called "search", and the metric has no name.
    """

    def __init__(self, folder: SearchFolder) -> None:
        self.name = folder.path.name
        metric = json.loads(folder.task.read_text("utf-8"))["metric"] if folder.task.exists() else "score"
        self.metric = {METRIC_NAMES: [metric]}
        super().__init__(_Journal(str(folder.study)))

    def get_all_studies(self) -> list[FrozenStudy]:
        studies = super().get_all_studies()
        for study in studies:
            study.study_name = self.name
            study.system_attrs = study.system_attrs | self.metric
        return studies

    def get_study_name_from_id(self, study_id: int) -> str:
        super().get_study_name_from_id(study_id)  # raises KeyError for an unknown id
        return self.name

    def get_study_id_from_name(self, study_name: str) -> int:
        return super().get_study_id_from_name(NAME if study_name == self.name else study_name)


class Server(ThreadingMixIn, WSGIServer):
    """Answers several requests of a browser at the same time."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """Prints no line per request."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


def dashboard(folder: SearchFolder, port: int) -> WSGIServer:
    """A server with the dashboard; `serve_forever` runs it.

    Raises SearchStateError if this folder has no study of the search, and BadInput if the dashboard is not installed.
    """
    if not folder.study.is_file():
        raise SearchStateError(no_search("--optuna", folder.path.name))
    try:
        from optuna_dashboard import wsgi
    except ModuleNotFoundError:
        way = "pip install 'recurrent-search[optuna-dashboard]'"
        raise BadInput(f"--optuna: expected the package optuna-dashboard, got none; {way} installs it") from None
    return make_server(HOST, port, wsgi(StudyStorage(folder)), server_class=Server, handler_class=_Quiet)
