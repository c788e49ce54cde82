"""What comes from elsewhere: released networks and maps."""
