"""What lies on disk: whole files or none, shards of maps, trained networks."""
