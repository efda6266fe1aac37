"""PyTorch Mobile, through torch.ao quantization, torch.nn.utils.prune and the lite interpreter."""
