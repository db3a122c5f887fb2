"""Numbers: exact ones, those of each floating-point type, and linear forms of named directions of the stream."""
