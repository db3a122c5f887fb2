"""The machines of `programs/machines/`, from the outside: their languages, programs as prompts, texts as steps.

It knows how a prompt is laid out and how a text is read, and nothing of how the machines are made.

    assembler.assembled(Source(".machine bytes\\n set 7\\n halt")).tokens -> ("set", 7, "halt", 0, "|", 0, 0)
"""
