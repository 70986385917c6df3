"""The views of a clip in a store: several rows where a recording has one, each array's rows in the order of the yaws.

A store of generated views has for each clip ``yaw`` (V,) in degrees, and every other array holds V runs of equally many
rows, one run a view. A store without ``yaw`` holds recordings. So the same stage works on both: it is handed one view
after the other, and a view that cannot be used never loses the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mer_lib.problems import BadInput, note
from mer_lib.store import Store

YAW = "yaw"
Arrays = dict[str, np.ndarray]
Read = Callable[[str, str], np.ndarray]


def each_view(above: Mapping[str, Store], make: Callable[[Any, Read], Arrays]) -> Callable[[Any], Arrays]:
    """What ``write_shard`` takes: ``make(row, read)`` for each view that all stores above have of the row's clip.

    ``read(stage, name)`` gives one view's rows of an array of a store. The views' arrays are joined, with their yaw. A
    view of which ``make`` raises BadInput is noted and left out; where none is left, the clip is lost (BadInput). Of
    recordings ``make`` is called once a clip, and no yaw is added.
    """

    def made(row: Any) -> Arrays:
        if not any(YAW in store.names() for store in above.values()):
            return make(row, lambda stage, name: above[stage].read(row.clip, name))
        has = {stage: store.read(row.clip, YAW).tolist() for stage, store in above.items()}
        yaws = [yaw for yaw in next(iter(has.values())) if all(yaw in there for there in has.values())]
        found, lost = {}, BadInput("no view is left of it in all stages above", "see problems.csv for why")
        for yaw in yaws:
            at = {stage: (there.index(yaw), len(there)) for stage, there in has.items()}
            try:
                found[yaw] = make(row, lambda stage, name, at=at: _run(above[stage], row.clip, name, *at[stage]))
            except BadInput as error:
                lost = error
                note(f"its view at {yaw:g} degrees is left out: {error.problem.what}", error.problem.remedy)
        if not found:
            raise lost
        return stacked(found)

    return made


class Shards:
    """The shards of a stage read as one store, a file open at a time: there may be more than a process may open."""

    def __init__(self, paths: Iterable[str | Path], recipe: str) -> None:
        self._recipe, self._open, self._where = recipe, None, {}
        for path in paths:
            with Store(path, recipe) as store:
                self._where |= dict.fromkeys(store.clips, path)

    def __contains__(self, clip: str) -> bool:
        return clip in self._where

    def read(self, clip: str, name: str) -> np.ndarray:
        """A clip's array; neighbouring clips are read fastest one after the other."""
        path = self._where[clip]
        if self._open is None or self._open.path != Path(path):
            if self._open:
                self._open.close()
            self._open = Store(path, self._recipe)
        return self._open.read(clip, name)


def stacked(views: Mapping[float, Arrays]) -> Arrays:
    """One clip's arrays out of those of its views, by their yaw: {name: (V · n, ...)} and yaw (V,)."""
    names = next(iter(views.values()))
    joined = {name: np.concatenate([view[name] for view in views.values()]) for name in names}
    return {**joined, YAW: np.array(list(views), float)}


def _run(store: Store, clip: str, name: str, at: int, views: int) -> np.ndarray:
    """The rows of one view."""
    begin, end = store.span(clip, name)
    rows = (end - begin) // views
    return store.read(clip, name, at * rows, (at + 1) * rows)
