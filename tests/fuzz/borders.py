"""Every border there is, by name."""

from __future__ import annotations

from fuzz import bundles, commands, pictures, recipes, runs, sounds, specs, tables, texts

BORDERS = {
    each.BORDER.name: each.BORDER
    for each in (recipes, tables, texts, pictures, sounds, specs, bundles, runs, commands)
}
