"""The composite of the MEGC 2019 challenge (3DB): CASME II, SMIC and SAMM, joined on the official list.

442 clips of 68 subjects: CASME II 145 of 24, SMIC 164 of 16, SAMM 133 of 28; negative 250, positive 109, surprise 83.
The list decides, never an emotion: it leaves out sadness, fear and others of CASME II and two clips of disgust
(sub04/EP12_01f, sub05/EP09_05f), keeps sub05/EP12_03f, leaves out SAMM's Other, and calls SMIC's s18_sur_03 a surprise,
where the sheet says negative.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from mer_lib.corpora import composite, lists
from mer_lib.registry import register


@register("corpus", "megc2019", composite=True)
def index(
    tables: Mapping[str, pd.DataFrame],
    *,
    name: str,
    classes: Sequence[str],
    parts: list = ["casme2", "smic", "samm"],  # noqa: B006 - read, never written
) -> pd.DataFrame:
    """MEGC 2019 composite (3DB): CASME II, SMIC and SAMM on the official list of 442 clips.

    ``tables``: the clip tables of casme2, smic and samm, as far as they are there; ``parts``: the three again where one
    is to be indexed by other than its defaults, such as {name: smic, modality: HS}. Returns the clip table in the order
    of the list; what is absent is refused (recorded), a data set that is missing entirely in one line.
    """
    return composite.join(tables, lists.official(classes), source="the official list of MEGC 2019")
