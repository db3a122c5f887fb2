; The busy beaver of three states: six ones on an empty tape.
.machine turing
        a0 1Rb   a1 1Rh
        b0 0Rc   b1 1Rb
        c0 1Lc   c1 1La
