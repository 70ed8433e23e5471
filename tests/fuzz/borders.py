"""Every border there is, by name."""

from __future__ import annotations

from fuzz import (
    bundles,
    commands,
    entities,
    pictures,
    questions,
    recipes,
    runs,
    servers,
    sounds,
    specs,
    tables,
    target_cells,
    texts,
)

BORDERS = {
    border.name: border
    for border in (
        *(
            each.BORDER
            for each in (
                *(recipes, tables, target_cells, texts, entities, questions),
                *(pictures, sounds),
                *(specs, bundles, runs, commands),
            )
        ),
        *servers.BORDERS,
    )
}
