"""What can be searched: cells, and the space of models built of them."""
