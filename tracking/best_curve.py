"""The best score of a search so far, as a curve over the number of trials that have ended."""

from mlflow.entities import Metric

from tracking.ranking import Candidate, lasting_with, ranked


class BestCurve:
    """Orders the ends of trials by time, and has a point for each end after which another trial is the best.

    MLflow shows the value of the highest step, so the steps follow the order of the ends.

    Args:
        metric, direction: of the score.
    """

    def __init__(self, metric: str, direction: str) -> None:
        self.metric, self.direction = metric, direction
        self.candidates: dict[int, Candidate] = {}  # the completed trials
        self.waiting: list[tuple[int, int]] = []  # (time, trial) of the ends that are not in the curve yet
        self.settled = 0  # how many ends are
        self.lasting: list[Candidate] = []  # of those the best one, and what may still become it
        self.points: list[Metric] = []  # that MLflow has not taken yet

    def add(self, time: int, candidate: Candidate) -> None:
        self.candidates[candidate.number] = candidate
        self.waiting.append((time, candidate.number))

    def settle(self, latest: int) -> list[Metric]:
        """Takes the ends up to `latest` into the curve; returns the points that MLflow has not taken.

        An end after `latest` waits, since an earlier end may not have been read yet. The best trial may be one that
        ended long before: it ties with a new one and is smaller than that.
        """
        ready = sorted(end for end in self.waiting if end[0] <= latest)
        self.waiting = [end for end in self.waiting if end[0] > latest]
        for time, number in ready:
            before = ranked(self.lasting, self.direction)[:1]
            self.lasting = lasting_with(self.lasting, self.candidates[number], self.direction)
            self.settled += 1
            first = ranked(self.lasting, self.direction)[0]
            if [first] != before:
                self.points.append(Metric(f"best/{self.metric}", first.score, time, self.settled))
        return self.points

    def best(self) -> Candidate | None:
        """The best candidate, whether its end is in the curve or waits."""
        return next(iter(ranked(self.candidates.values(), self.direction)), None)
