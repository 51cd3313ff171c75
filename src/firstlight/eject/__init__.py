"""The script that a person owns: the same six steps in plain PyTorch, printed from `plain/`."""
