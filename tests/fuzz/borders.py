"""Every border there is, by name."""

from __future__ import annotations

from fuzz import (
    annotations,
    bundles,
    channels,
    commands,
    entities,
    masks,
    pairs,
    pictures,
    preparations,
    questions,
    recipes,
    runs,
    servers,
    sounds,
    specs,
    tables,
    target_cells,
    texts,
    transcripts,
    written,
)

BORDERS = {
    border.name: border
    for border in (
        *(
            each.BORDER
            for each in (
                *(recipes, tables, target_cells, texts, entities, questions, pairs, written),
                *(pictures, channels, masks, sounds, transcripts),
                *(specs, bundles, runs, commands, preparations),
            )
        ),
        *annotations.BORDERS,
        *servers.BORDERS,
    )
}
