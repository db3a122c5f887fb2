; Two times three, in the second cell, and shown.
.machine brainfuck
        ++ [ > +++ < - ] > .
