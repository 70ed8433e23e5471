"""ONNX graphs: traced from a model, rewritten, stored."""
