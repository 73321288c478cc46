"""ONNX files as CNTK networks: the file, the graph's nodes, and each operation as CNTK's own.

Nothing is approximated: what an operation cannot do here is refused by name.
"""
