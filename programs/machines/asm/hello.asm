; Hello: shows the letters of HELLO as numbers, stored one behind the other and read again.
.machine bytes
        set 72
        put
        incb
        set 69
        put
        incb
        set 76
        put
        incb
        put
        incb
        set 79
        put
        set 0
        tab
loop:   get
        jz done
        out
        incb
        jump loop
done:   halt
