"""The kernel `native`: recurrent layers that Numba compiles for this processor, a whole sequence in one call."""
