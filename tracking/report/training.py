"""Figures of the trainings: learning curves, norms of the gradients, horizons."""

from tracking.horizon import LOST, MOMENTS, SHORT
from tracking.report.chart import GREY, Chart, Panel, Range, Series, colours, score_range
from tracking.report.gather import Search, Trial, cell_of
from tracking.report.scores import describe, floors, label
from tracking.text import format_half_life

DEEPEST = -10.0  # log10 of the gain: lower ones are cut off
BEST, OTHER = 0.95, 0.45  # opacity


def learning(search: Search) -> Chart | None:
    """The validation score of each epoch, a panel for each cell, its best trial thick."""
    curves = [trial for trial in search.trials if trial.get("curve")]
    if not curves:
        return None
    values = [value for trial in curves for _, value in trial["curve"]]
    shown = score_range(values, list(floors(search).values()), search.minimum)
    best = {cell_of(trial): trial for trial in reversed(search.ranked)}
    panels = []
    for cell in search.cells:
        own = [trial for trial in curves if cell_of(trial) == cell]
        if own:
            panels.append(_panel(search, cell, own, best.get(cell), shown))
    says = (
        "The validation score after each epoch. The thick line is the best completed trial of the cell, dotted lines"
        f" are pruned trials.{shown.note} {search.notes.get('learning', '')}"
    )
    return Chart("learning", "Learning curves", says.rstrip(), panels, columns=min(3, len(panels)), height=360)


def _panel(search: Search, cell: str, own: list[Trial], best: Trial | None, shown: Range) -> Panel:
    series = []
    for trial in sorted(own, key=lambda trial: trial is best):  # the best one lies above the others
        epochs, scores = zip(*trial["curve"], strict=True)
        first = trial is best
        series.append(
            Series(
                f"best of {cell}" if first else "",
                [epoch + 1 for epoch in epochs],
                list(scores),
                colour=colours(search.cells)[cell],
                texts=[f"{describe(trial)}<br>epoch {epoch + 1}: {score:.4g}" for epoch, score in trial["curve"]],
                dash="dot" if trial["score"] is None else "solid",
                width=3.5 if first else 1.5,
                opacity=BEST if first else OTHER,
            )
        )
    title = f"{cell}: {len(own)} trials"
    return Panel(
        "epoch",
        label(search),
        series,
        title=title,
        whole_x=True,
        log_y=shown.log,
        y_range=shown.ends,
        lines=floors(search),
    )


def norms(search: Search) -> Chart | None:
    """The norms of the gradients of each cell's best trial: the median, and a band from 10 to 90 % of the steps."""
    series = []
    for cell, (low, middle, high) in sorted(search.norms.items()):
        steps = [step for step, _ in middle]
        if [step for step, _ in low] == steps == [step for step, _ in high]:
            ends = ([value for _, value in low], [value for _, value in high])
            epochs, values = [step + 1 for step in steps], [value for _, value in middle]
            texts = [f"{cell}, epoch {epoch}: {value:.3g}" for epoch, value in zip(epochs, values, strict=True)]
            colour = colours(search.cells)[cell]
            series.append(Series(cell, epochs, values, low=ends[0], high=ends[1], colour=colour, texts=texts))
    if not series:
        return None
    positive = all(value > 0 for one in series for value in (*one.y, *(one.low or ())))
    says = (
        "The norm of all gradients together, before clipping, of each cell's best trial: the median of an epoch's"
        f" steps, and a band from 10 to 90 % of them. {search.notes.get('gradients', '')}"
    )
    return Chart("gradients", "Norms of the gradients", says.rstrip(), [Panel("epoch", "norm", series, log_y=positive)])


def horizons(search: Search) -> Chart | None:
    """How far back the gradient of the last state reaches, of each cell's best trial."""
    if not search.horizons:
        return None
    asked = int(search.horizons[0]["horizon"]["task_lag"])
    right = max(2 * SHORT, round(1.15 * asked))
    series = []
    for trial in search.horizons:
        for moment, (words, line, opacity) in MOMENTS.items():
            points = [(lag, max(gain, DEEPEST)) for lag, gain in trial["curves"][moment] if lag <= right]
            name = f"{trial['architecture']} {words}: half-life {format_half_life(trial['horizon'], moment, '_50')}"
            series.append(
                Series(
                    name,
                    [lag for lag, _ in points],
                    [gain for _, gain in points],
                    colour=colours(search.cells).get(cell_of(trial), GREY),
                    dash="solid" if line == "-" else "dash",
                    opacity=opacity,
                    texts=[f"{name}<br>lag {lag}: {gain:.3g}" for lag, gain in points],
                )
            )
    says = (
        "How much of the gradient of the last state reaches the input so many steps back. It is lost below 1 %."
        " The half-life is the mean over the first 50 lags: the gradient shrinks to a half in so many steps."
        f" A dashed line is the same model before training. {search.notes.get('horizons', '')}"
    )
    panel = Panel(
        "lag in steps",
        "log10 of G(lag) / G(0)",
        series,
        lines={"1 %": float(LOST)},
        marks={f"the task's first step: {asked}": float(asked)},
    )
    return Chart("horizons", "How far back the models see", says.rstrip(), [panel])
