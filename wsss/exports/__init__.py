"""What leaves: networks, predictions, archives for evaluation servers."""
