; The primes below 16, by the sieve of Eratosthenes: multiples of 2 and 3 are marked, what is not marked is shown.
.machine bytes
        set 16
        store end
        set 4
        store four
        set 2
        store p
sieve:  load p
        add p
mark:   tab             ; b is a multiple of p
        set 1
        put
        tba
        add p
        store at
        lt end
        jz sieved
        load at
        jump mark
sieved: load p
        addi 1
        store p
        eq four
        jz sieve
        set 2
list:   tab
        get
        jnz marked
        tba
        out
marked: incb
        tba
        lt end
        jz done
        tba
        jump list
done:   halt
end = 100
p = 101
at = 102
four = 103
