"""The circuit: heads and neurons over named directions; sharing of columns, bounds and certificate, and its tensors."""
