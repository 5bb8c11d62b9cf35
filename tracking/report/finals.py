"""The figure of the finals: each candidate, trained again from fresh seeds, with its interval."""

from tracking.report.chart import GREY, Chart, Panel, Series, colours, logarithmic
from tracking.report.gather import Search
from tracking.report.scores import floors
from tracking.text import format_number, metric_name


def finals(search: Search) -> Chart | None:
    """The mean score of each candidate on the test split, its 95 % interval, and each of its seeds."""
    found = search.found.get("finals")
    if not found or not found["candidates"]:
        return None
    series = []
    for place, one in enumerate(found["candidates"], start=1):
        colour = colours(search.cells).get(one["cell"], GREY)
        name = f"{one['trial']} {one['architecture']}" + (" (winner)" if one["trial"] == found["winner"] else "")
        words = [f"{name}<br>mean {format_number(one['mean'])}, {len(one['test'])} seeds"]
        sure = one["low"] is not None  # one seed has no interval
        low, high = ([one["low"]], [one["high"]]) if sure else (None, None)
        series.append(Series(name, [place], [one["mean"]], "points", colour, low, high, words))
        seeds = [f"{name}<br>seed {number}: {score:.4g}" for number, score in enumerate(one["test"])]
        beside, hollow = [place + 0.12] * len(seeds), [True] * len(seeds)
        series.append(Series("", beside, one["test"], "points", colour, texts=seeds, hollow=hollow, opacity=0.8))
    says = (
        "The mean on the test split with its 95 % interval; a ring is one seed. Every choice was made on the validation"
        " split; the test split is only reported."
    )
    side = f"test {metric_name(search.found['metric'])}"
    count = len(found["candidates"])
    names = {float(place): one["trial"] for place, one in enumerate(found["candidates"], start=1)}
    ends = [end for one in series for end in (*one.y, *(one.low or ()), *(one.high or ()))]
    log = logarithmic([*ends, *floors(search).values()])
    panel = Panel("trial", side, series, log_y=log, lines=floors(search), x_range=(0.5, count + 0.5), x_names=names)
    return Chart("finals", "Finals", says, [panel], height=380)
