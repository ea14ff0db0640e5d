"""One model folder in the formats of many devices: ONNX, ORT, OpenVINO IR, LiteRT and ExecuTorch.

`making.make` writes a folder to ship, `fidelity` holds it to its model, `device_matrix` lays the formats side by side.
Each format that is not in `utils.rank.runtimes` is an engine of its own in `in_<format>`; what converts to LiteRT and
ExecuTorch lives in environments of its own (`converters`).
"""
