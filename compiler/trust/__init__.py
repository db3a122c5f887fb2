"""Trust: models against the interpreter, tensors against the program, and interventions against what is claimed."""
