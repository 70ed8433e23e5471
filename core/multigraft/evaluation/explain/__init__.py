"""Explanations of a run's answers with its gradients, their faithfulness over rows, and the page
that shows them."""
