"""Sphinx's settings of the site (furo, MyST)."""

from __future__ import annotations

import logging

from multigraft import __version__

logging.getLogger("multigraft").setLevel(logging.ERROR)

project = "multigraft"
author = "the multigraft developers"
release = version = __version__
root_doc = "README"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "multigraft"
html_copy_source = False
default_role = "code"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
