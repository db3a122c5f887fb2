; y becomes twice the x of 5.
.machine counters
.x 5
loop:   decx done
        incy
        incy loop
done:   end
