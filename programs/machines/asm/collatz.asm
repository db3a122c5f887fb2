; Collatz: halve what is even, take three times and one more of what is odd, until it is 1. From 7 it takes 16 steps.
.machine bytes
        set 1
        store one
        set 7
loop:   out
        store n
        eq one
        jnz done
        load n
        and one
        jz even
        load n
        add n
        add n
        addi 1
        jump loop
even:   load n
        shr
        jump loop
done:   halt
n = 0
one = 1
