"""Making a ranker smaller: pruning, distillation, sparsity, quantization, and the recipe that chains them."""
