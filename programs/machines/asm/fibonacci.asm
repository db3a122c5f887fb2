; The Fibonacci numbers that fit into a byte. They are in `last` and `this`; a sum that is less than `this` no longer fits.
.machine bytes
        set 1
        store this
loop:   load this
        out
        add last        ; the next one
        store next
        lt this
        jnz done
        load this
        store last
        load next
        store this
        jump loop
done:   halt
last = 0
this = 1
next = 2
