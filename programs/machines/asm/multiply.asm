; 13 times 11, by doubling one and halving the other: where the lowest bit of `n` is set, `m` is added to the product.
.machine bytes
        set 13
        store m
        set 11
        store n
        set 1
        store one
loop:   load n
        and one
        jz even
        load product
        add m
        store product
even:   load m
        shl
        store m
        load n
        shr
        store n
        jnz loop
        load product
        out
        halt
m = 0
n = 1
one = 2
product = 3
