"""The same networks on the service's trainer and on PyTorch: benchmarks/against_pytorch.py runs them."""
