"""How Numba compiles the kernels, and what every cell's two passes take."""

from typing import Any

# A product and a sum may be one instruction, -0 may be 0, a division may be a product, functions may be approximated.
# "reassoc" would change the order of sums from machine to machine, and "nnan" would lose NaN, which says that a
# training has diverged.
FAST = {"contract", "nsz", "arcp", "afn"}
OPTIONS: dict[str, Any] = {"fastmath": FAST, "error_model": "numpy", "nogil": True, "cache": True}

# The types of the arguments that both passes have: x, real, backwards, weights of the inputs and of the states, here,
# states, the same flat, kept, the same flat, and the outputs or their gradients.
BOTH = (
    "f4[:,:,::1],b1[:,:],b1,f4[:,:,:],f4[:,:,:],f4[:,:,::1],"
    "f4[:,:,:,::1],f4[:,:,::1],f4[:,:,:,::1],f4[:,::1],f4[:,:,::1]"
)
FORWARD = f"void({BOTH})"
# Behind them the backward pass has the gradients of the states, the same flat, those of padded rows, the gradients of
# the gates, the same flat, of both weights, of x, and of x at one step.
BACKWARD = (
    f"void({BOTH},f4[:,:,::1],f4[:,::1],f4[:,:,::1],f4[:,:,::1],f4[::1],f4[:,:,::1],f4[:,:,::1],f4[:,:,::1],f4[:,::1])"
)
