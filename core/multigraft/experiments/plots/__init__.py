"""Plots of an experiment's page, a file each: what is drawn, and the drawing as SVG or for a
template."""
