; Sort four numbers, 9 4 7 1: bubbles. b walks over them; where a number is greater than the next one they change places.
.machine bytes
        set 9
        store 0
        set 4
        store 1
        set 7
        store 2
        set 1
        store 3
        set 3
        store left
pass:   set 0
        tab
pair:   get             ; the number here
        store here
        incb
        get             ; and the next one
        lt here
        jz next         ; they are in order
        get
        store there
        load here
        put
        decb
        load there
        put
        incb
next:   tba
        lt left
        jnz pair
        load left       ; the greatest is at the end: one place less to go to
        addi 255
        store left
        jnz pass
        load 0
        out
        load 1
        out
        load 2
        out
        load 3
        out
        halt
here = 10
there = 11
left = 12
