"""How much each kind of evidence counts: conditional logit over the units it may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from incidents.dispatching import Looked

Numbers = NDArray[np.float64]

FEWEST: Final = 60
"""Cases below which nothing is fitted."""


def fit_weights(looks: Sequence[tuple[Looked, str]], kinds: int) -> tuple[float, ...]:
    """How much each kind of evidence counts: conditional logit, none below 0, so that evidence never speaks against what
    it supports. Cases whose unit nobody brought in teach nothing here."""
    useful = [(looked, looked.units.index(unit)) for looked, unit in looks if unit in looked.units]
    if len(useful) < FEWEST:
        return (1.0,) * kinds
    most = max(len(looked.units) for looked, _ in useful)
    said = np.zeros((len(useful), most, kinds))
    there = np.zeros((len(useful), most), dtype=bool)
    for n, (looked, _) in enumerate(useful):
        said[n, : len(looked.units)] = looked.said
        there[n, : len(looked.units)] = True
    chosen = said[np.arange(len(useful)), [i for _, i in useful]].mean(axis=0)
    kept = list(range(kinds))
    while True:
        weights = _newton(said[:, :, kept], there, chosen[kept])
        below = [k for k, w in zip(kept, weights, strict=True) if w < 0]
        if not below:
            break
        kept = [k for k in kept if k not in below]
        if not kept:
            return (1.0,) * kinds
    found = dict(zip(kept, weights.tolist(), strict=True))
    return tuple(round(found.get(k, 0.0), 4) for k in range(kinds))


def _newton(said: Numbers, there: NDArray[np.bool_], chosen: Numbers) -> Numbers:
    """Newton with halved steps: where the evidence is nearly always right the curve is flat and a full step runs away."""
    held = 1e-3

    def likelihood(weights: Numbers) -> tuple[float, Numbers]:
        scores = np.where(there, said @ weights, -np.inf)
        top = scores.max(axis=1, keepdims=True)
        grown = np.exp(scores - top)
        whole = grown.sum(axis=1, keepdims=True)
        value = chosen @ weights - float((np.log(whole) + top).mean()) - held / 2 * float(weights @ weights)
        return float(value), grown / whole

    weights = np.full(said.shape[2], 0.5)
    value, shares = likelihood(weights)
    for _ in range(60):
        mean = np.einsum("nc,nck->nk", shares, said)
        slope = chosen - mean.mean(axis=0) - held * weights
        square = (np.einsum("nc,nck,ncj->kj", shares, said, said) - mean.T @ mean) / len(said)
        step = np.linalg.solve(square + held * np.eye(len(weights)), slope)
        better, after = likelihood(weights + step)
        while better < value and np.abs(step).max() > 1e-6:
            step = step / 2
            better, after = likelihood(weights + step)
        if np.abs(step).max() <= 1e-5:
            break
        weights, value, shares = weights + step, better, after
    return weights
