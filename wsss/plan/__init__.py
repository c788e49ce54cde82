"""What a run takes of a GPU: memory, traffic, arithmetic and time, computed on pretended tensors."""
