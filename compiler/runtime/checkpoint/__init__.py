"""Checkpoints: a folder with a transformer's weights, its config and its labels. No pickle.

In: config, tensors and labels, or a folder. Out: a folder, or a `Transformer`.
Invariants: a folder is written whole or not at all, and what else lies in it is kept; what is read is what was written
(hashes), all of it at one time; nothing in it is run, nothing outside of it is read, and memory and time are bounded.

    sort/
      config.json        format, shape, vocabulary, output values, hashes of the other files
      model.safetensors  the weights, by the names of `compiler.model`
      labels.json        what each column, head and neuron is; where variables are read; program, options, version
      *.json             further documents, if there are any; `document` reads one
"""

from compiler.runtime.checkpoint.files import CONFIG, LABELS, MAX_DOCUMENTS, MAX_JSON, MAX_WEIGHTS, WEIGHTS
from compiler.runtime.checkpoint.reading import document, documents, load, program
from compiler.runtime.checkpoint.writing import digest, further_files, own_files, save

__all__ = [
    "CONFIG",
    "LABELS",
    "MAX_DOCUMENTS",
    "MAX_JSON",
    "MAX_WEIGHTS",
    "WEIGHTS",
    "digest",
    "document",
    "documents",
    "further_files",
    "load",
    "own_files",
    "program",
    "save",
]
