"""Series of nonlinear systems, made with the four operations of arithmetic, so that every machine makes the same ones.

The first two are chaotic and integrated with the classical Runge-Kutta method of fourth order. The values while a
system comes near to its attractor are left out. Mackey & Glass 1977, doi:10.1126/science.267326; Lorenz 1963, J. Atmos.
Sci. 20. NARMA10 is driven by random numbers: Atiya & Parlos 2000, doi:10.1109/72.846741.
"""

import functools

import numpy as np

VALUES = 8_000
BEFORE = 1_000  # values that are left out
RESOLUTION = 10  # steps of the integration in a unit of time of Mackey and Glass
State = tuple[float, float, float]
FINE, EVERY = 0.01, 5  # seconds of a step of Lorenz' system, and steps between two values


@functools.cache
def mackey_glass(tau: int) -> np.ndarray:
    """x' = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x, one value a unit of time; float64 `(VALUES,)`.

    x is 1.2 until time 0. Half a step back the delayed value is the mean of its two neighbours.
    """
    step, delay = 1 / RESOLUTION, tau * RESOLUTION
    x = [1.2] * (delay + 1)
    for now in range((BEFORE + VALUES - 1) * RESOLUTION):
        old, new, last = x[now], x[now + 1], x[-1]
        begin, middle, end = _growth(old), _growth((old + new) / 2), _growth(new)
        one = begin - 0.1 * last
        two = middle - 0.1 * (last + step / 2 * one)
        three = middle - 0.1 * (last + step / 2 * two)
        four = end - 0.1 * (last + step * three)
        x.append(last + step / 6 * (one + 2 * two + 2 * three + four))
    return np.array(x[delay + BEFORE * RESOLUTION :: RESOLUTION])


def _growth(x: float) -> float:
    square = x * x
    fourth = square * square
    return 0.2 * x / (1 + fourth * fourth * square)  # x**10 would be a function of the system's library


@functools.cache
def lorenz() -> np.ndarray:
    """x of x' = 10 (y - x), y' = x (28 - z) - y, z' = x y - 8/3 z, from (1, 1, 1), every 0.05 s.

    float64 `(VALUES,)`.
    """
    state: State = (1.0, 1.0, 1.0)
    found = []
    for now in range((BEFORE + VALUES) * EVERY):
        if now % EVERY == 0:
            found.append(state[0])
        one = _flow(*state)
        two = _flow(*_moved(state, one, FINE / 2))
        three = _flow(*_moved(state, two, FINE / 2))
        four = _flow(*_moved(state, three, FINE))
        x, y, z = ((a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(one, two, three, four, strict=True))
        state = _moved(state, (x, y, z), FINE)
    return np.array(found[BEFORE:])


def _flow(x: float, y: float, z: float) -> State:
    return 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z


def _moved(state: State, speed: State, seconds: float) -> State:
    (x, y, z), (dx, dy, dz) = state, speed
    return x + seconds * dx, y + seconds * dy, z + seconds * dz


@functools.cache
def narma10() -> np.ndarray:
    """y[t+1] = 0.3 y[t] + 0.05 y[t] (y[t] + ... + y[t-9]) + 1.5 u[t] u[t-9] + 0.1, and what drives it, u.

    u is uniform in [0, 0.5), from a fixed seed; y is 0 until time 0. float64 `(VALUES, 2)`, a row y[t], u[t].
    """
    u = (0.5 * np.random.default_rng(0).random(BEFORE + VALUES)).tolist()
    y = [0.0] * 10
    for now in range(9, len(u) - 1):
        y.append(0.3 * y[now] + 0.05 * y[now] * sum(y[now - 9 : now + 1]) + 1.5 * u[now] * u[now - 9] + 0.1)
    return np.column_stack([y, u])[BEFORE:]
