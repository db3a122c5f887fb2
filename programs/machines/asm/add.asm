; 5 and 3: z becomes -5, which is taken away from b.
.machine subleq
        subleq a z
        subleq z b
        subleq z z -1
a:      .data 5
b:      .data 3
z:      .data 0
