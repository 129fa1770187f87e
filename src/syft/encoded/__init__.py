"""Numbers in another form, under PyTorch's autograd: fixed precision, and what is computed on it, here or shared."""
